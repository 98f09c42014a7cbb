"""The addresses of the service, and what each answers."""

import sys
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.generics import GenericAPIView
from rest_framework.pagination import LimitOffsetPagination
from rest_framework.parsers import FormParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from simulators.fourmost.answers import LenientJson
from simulators.fourmost.authentication import BAD_PASSWORD, find_account
from simulators.fourmost.filters import to_condition
from simulators.fourmost.ingestion import ingest
from simulators.fourmost.models import Transient
from simulators.fourmost.sentences import describe_rows
from simulators.fourmost.serializers import TransientSerializer
from tides_bridge.errors import SettingsError

PAGE = 100
"""Rows of a page when ``limit`` does not say."""


class Pages(LimitOffsetPagination):
    """``limit`` and ``offset`` for both forms of the list: a page, or just its rows."""

    max_limit = sys.maxsize

    @property
    def default_limit(self) -> int:
        """A plain list is not cut."""
        return PAGE if settings.PAGINATE else sys.maxsize

    def get_paginated_response(self, data: list[Any]) -> Response:
        """Answer in the form that was chosen at start."""
        return super().get_paginated_response(data) if settings.PAGINATE else Response(data)


class Transients(GenericViewSet):
    """Rows of the surveys of the account; what a router finds behind the address, as ``format``, is not used here."""

    parser_classes = (LenientJson,)
    serializer_class = TransientSerializer
    pagination_class = Pages

    def get_queryset(self) -> QuerySet:
        """Rows that this account may see."""
        return Transient.objects.filter(uploadedfor_survey_id__in=self.request.user.surveys).order_by("id")

    def list(self, request: Request, **_: Any) -> Response:
        """Answer the rows that the filters choose, in the order of their ids."""
        rows = self.paginate_queryset(self.get_queryset().filter(to_condition(request.query_params)))
        return self.get_paginated_response(self.get_serializer(rows, many=True).data)

    def retrieve(self, request: Request, pk: str, **_: Any) -> Response:
        """Answer one row."""
        return Response(self.get_serializer(self.get_object()).data)

    def create(self, request: Request, **_: Any) -> Response:
        """Insert one row or a list of rows: all of them or, when one is bad, none."""
        bulk = isinstance(request.data, list)
        serializer = self.get_serializer(data=request.data, many=bulk)
        if not serializer.is_valid():
            raise ValidationError(describe_rows(serializer.errors, request.data) if bulk else serializer.errors)
        serializer.save()
        return Response(serializer.data, status=settings.CREATE_STATUS)

    @transaction.atomic
    def partial_update(self, request: Request, pk: str, **_: Any) -> Response:
        """
        Change some columns.

        A value equal to the row's is no change: nothing is checked, and an ingested row does not refuse it.
        """
        row = self.get_object()
        old = self.get_serializer(row).data
        new = request.data
        if isinstance(new, dict):
            new = {name: value for name, value in new.items() if name not in old or old[name] != value}
        serializer = self.get_serializer(row, data=new, partial=True)
        serializer.is_valid(raise_exception=True)
        names = set(serializer.validated_data) - {"is_active"}
        if row.date_ingested and names:
            text = f"row {row.id} is ingested: only is_active may change"
            raise ValidationError(dict.fromkeys(sorted(names), text))
        if serializer.validated_data:
            serializer.save()
        return Response(serializer.data)

    @transaction.atomic
    def destroy(self, request: Request, pk: str, **_: Any) -> Response:
        """Delete a row that is not ingested."""
        row = self.get_object()
        if row.date_ingested:
            raise ValidationError(f"row {row.id} is ingested and stays: set is_active to false instead of deleting it")
        row.delete()
        return Response(status=status.HTTP_204_NO_CONTENT)


class Credentials(serializers.Serializer):
    """The form of the token's address."""

    username = serializers.CharField()
    password = serializers.CharField(trim_whitespace=False)


class TokenView(GenericAPIView):
    """The token of an account, for its user and password as a form."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (FormParser, MultiPartParser, LenientJson)
    serializer_class = Credentials

    def post(self, request: Request) -> Response:
        """Answer the token."""
        form = self.get_serializer(data=request.data)
        form.is_valid(raise_exception=True)
        if account := find_account(**form.validated_data):
            return Response({"token": account.token})
        raise ValidationError(BAD_PASSWORD)


class CandidateVisits(APIView):
    """Candidate visits; the real answer's shape is not public, and none is invented."""

    def get(self, request: Request) -> Response:
        """Say so."""
        text = "the stand-in does not answer candidate visits: their form is not public"
        return Response({"err": text}, status=status.HTTP_501_NOT_IMPLEMENTED)


class Ingestion(APIView):
    """The stand-in's own address: what OpSys does at 15:00, now."""

    def post(self, request: Request) -> Response:
        """Ingest every row that is not yet, and answer how many."""
        return Response({"ingested": ingest()})


class Faults(APIView):
    """The stand-in's own address: what goes wrong from now on."""

    parser_classes = (LenientJson,)

    def post(self, request: Request) -> Response:
        """Follow other rules, and answer how many they are."""
        try:
            return Response({"rules": settings.FAULTS.replace(request.data)})
        except SettingsError as error:
            raise ValidationError(str(error)) from error
