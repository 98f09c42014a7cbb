"""What goes over the wire: JSON in, also encoded twice, and ``{"err": ...}`` out."""

import json
from typing import Any, BinaryIO

from django.conf import settings
from django.http import HttpRequest, JsonResponse
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser
from rest_framework.response import Response
from rest_framework.views import exception_handler

from simulators.fourmost.sentences import to_sentence


class LenientJson(BaseParser):
    """
    JSON, and JSON inside a JSON string, which an older client sends.

    NaN and Infinity are let through here, so that the check of their column refuses them by name.
    """

    media_type = "application/json"

    def parse(self, stream: BinaryIO, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Read the body."""
        try:
            data = json.loads(stream.read())
            return json.loads(data) if isinstance(data, str) else data
        except (ValueError, RecursionError) as error:
            raise ParseError(f"this is no JSON: {error}") from error


def answer_error(error: Exception, context: dict[str, Any]) -> Response | None:
    """Give every error of a view the body ``{"err": ...}``; an older server also gave it the status 200."""
    response = exception_handler(error, context)
    if response is not None:
        response.data = {"err": to_sentence(response.data)}
        if settings.ERRORS_AS_200:
            response.status_code = 200
    return response


def no_such_address(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer an address that does not exist."""
    return JsonResponse({"err": f"no such address: {request.path}"}, status=404)


def bad_request(request: HttpRequest, exception: Exception) -> JsonResponse:
    """Answer what Django itself refuses, for example a thousand filters."""
    return JsonResponse({"err": str(exception)}, status=400)


def own_fault(request: HttpRequest) -> JsonResponse:
    """Answer an error of the stand-in itself, whose traceback is on its stderr."""
    return JsonResponse({"err": "the stand-in failed; its own output says why"}, status=500)
