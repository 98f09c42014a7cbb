"""
The addresses.

Those of the rows are of the router that Django REST framework brings, as the real ones seem to be: each ends with a
slash, and one without is answered by a redirect there; ``.json`` behind one is understood; and there is a root.
"""

from django.urls import include, re_path
from rest_framework.routers import DefaultRouter

from simulators.fourmost.answers import bad_request, no_such_address, own_fault
from simulators.fourmost.views import CandidateVisits, Faults, Ingestion, TokenView, Transients

router = DefaultRouter()
router.register("transients", Transients, basename="transient")

urlpatterns = [
    re_path(r"^QFSwi/targetCat/get-candidate-visits/?$", CandidateVisits.as_view()),
    re_path(r"^QFSwi/targetCat/", include(router.urls)),
    re_path(r"^QFSwi/transients-token-auth/?$", TokenView.as_view()),
    re_path(r"^QFSwi/standin/ingest/?$", Ingestion.as_view()),
    re_path(r"^QFSwi/standin/faults/?$", Faults.as_view()),
]

handler400 = bad_request
handler404 = no_such_address
handler500 = own_fault
