"""Stripe's errors: https://docs.stripe.com/api/errors and https://docs.stripe.com/error-codes."""

from typing import Any


class ApiError(Exception):
    """An answer of the API that is not 200. `param` is the offending parameter in bracket notation."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        type_: str = "invalid_request_error",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.param = param
        self.type = type_

    @property
    def is_validation(self) -> bool:
        """Stripe keeps no answer under an idempotency key when it was the parameters that failed."""
        return (self.code or "").startswith("parameter_")

    def body(self) -> dict[str, Any]:
        error: dict[str, Any] = {"message": self.message, "type": self.type}
        if self.code:
            error["code"] = self.code
            error["doc_url"] = f"https://stripe.com/docs/error-codes/{self.code.replace('_', '-')}"
        if self.param:
            error["param"] = self.param
        return {"error": error}


def missing(kind: str, id_: str, *, param: str = "id", status: int = 404) -> ApiError:
    """No such object. `kind` is the object's name in the API, for example `checkout.session`."""
    return ApiError(f"No such {kind}: '{id_}'", status=status, code="resource_missing", param=param)


def required(param: str) -> ApiError:
    return ApiError(f"Missing required param: {param}.", code="parameter_missing", param=param)
