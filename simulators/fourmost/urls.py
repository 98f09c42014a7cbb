"""The addresses; the slash at their end may be left out."""

from django.urls import re_path

from simulators.fourmost.answers import bad_request, no_such_address, own_fault
from simulators.fourmost.views import CandidateVisits, Faults, Ingestion, TokenView, Transients

urlpatterns = [
    re_path(r"^QFSwi/targetCat/transients/?$", Transients.as_view({"get": "list", "post": "create"})),
    re_path(
        r"^QFSwi/targetCat/transients/(?P<pk>\d+)/?$",
        Transients.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
    ),
    re_path(r"^QFSwi/transients-token-auth/?$", TokenView.as_view()),
    re_path(r"^QFSwi/targetCat/get-candidate-visits/?$", CandidateVisits.as_view()),
    re_path(r"^QFSwi/standin/ingest/?$", Ingestion.as_view()),
    re_path(r"^QFSwi/standin/faults/?$", Faults.as_view()),
]

handler400 = bad_request
handler404 = no_such_address
handler500 = own_fault
