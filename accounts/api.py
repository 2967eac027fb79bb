"""The HTTP API of accounts: register, confirm, log in, refresh, log out, see oneself."""

from typing import Any, cast

from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView
from rest_framework_simplejwt.serializers import TokenObtainPairSerializer, TokenRefreshSerializer
from rest_framework_simplejwt.views import TokenBlacklistView, TokenObtainPairView, TokenRefreshView

from accounts import people
from accounts.fields import validate_printable
from accounts.forms import PASSWORD_LENGTH
from accounts.models import User

ID = "7c9d3f0e-5b7a-4a3c-9d53-0f6f3c6f2a11"
PERSON = {"id": ID, "email": "anna@example.org", "confirmed": False}
ACCESS = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoiYWNjZXNzIn0.signature"
REFRESH = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ0b2tlbl90eXBlIjoicmVmcmVzaCJ9.signature"
TAGS = ["auth"]


def request_example(**value: str) -> OpenApiExample:
    return OpenApiExample("Request", value=value, request_only=True)


def response_example(value: dict[str, Any], code: int = 200) -> OpenApiExample:
    return OpenApiExample("Response", value=value, response_only=True, status_codes=[str(code)])


class PersonSerializer(serializers.ModelSerializer[User]):
    confirmed = serializers.BooleanField(source="is_confirmed", read_only=True)

    class Meta:
        model = User
        fields = ["id", "email", "confirmed"]


class MeSerializer(PersonSerializer):
    roles: Any = serializers.SlugRelatedField("name", source="groups", many=True, read_only=True)

    class Meta:
        model = User
        fields = ["id", "email", "name", "confirmed", "roles"]


class RegisterSerializer(serializers.Serializer[Any]):
    email = serializers.EmailField(max_length=254, validators=[validate_printable])
    password = serializers.CharField(max_length=PASSWORD_LENGTH, trim_whitespace=False, write_only=True)
    name = serializers.CharField(max_length=150, required=False, allow_blank=True, validators=[validate_printable])


class ConfirmSerializer(serializers.Serializer[Any]):
    token = serializers.CharField(max_length=1000)


class TokenSerializer(TokenObtainPairSerializer):
    """The stock one, with bounds on what is typed and a word on whether the e-mail is confirmed."""

    access = serializers.CharField(read_only=True)
    refresh = serializers.CharField(read_only=True)
    confirmed = serializers.BooleanField(read_only=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["email"] = serializers.CharField(max_length=254, write_only=True)
        self.fields["password"] = serializers.CharField(
            max_length=PASSWORD_LENGTH, trim_whitespace=False, write_only=True
        )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = super().validate(attrs)
        return data | {"confirmed": cast(User, self.user).is_confirmed}


class RefreshSerializer(TokenRefreshSerializer):
    """The stock one; a deleted person's token is refused like any other bad one."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, str]:
        try:
            return super().validate(attrs)
        except User.DoesNotExist:
            raise exceptions.AuthenticationFailed(
                self.error_messages["no_active_account"], "no_active_account"
            ) from None


class RefreshRequestSerializer(serializers.Serializer[Any]):
    refresh = serializers.CharField()


class OpenView(APIView):
    """For those who have no token yet; every try counts against the throttle."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "auth"


class Register(OpenView):
    @extend_schema(
        tags=TAGS,
        auth=[],
        request=RegisterSerializer,
        responses={201: PersonSerializer, 400: OpenApiResponse(description="The e-mail or password is not acceptable")},
        examples=[
            request_example(email="anna@example.org", password="a long film title", name="Anna"),
            response_example(PERSON, 201),
        ],
    )
    def post(self, request: Request) -> Response:
        """Sign up. A link that confirms the e-mail is sent to it.

        The answer to an e-mail that is already registered looks the same; its owner is told by mail.
        """
        serializer = RegisterSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            user = people.register(**serializer.validated_data)
        except DjangoValidationError as error:
            detail = error.message_dict if hasattr(error, "error_dict") else {"password": error.messages}
            raise serializers.ValidationError(detail) from error
        return Response(PersonSerializer(user).data, status=status.HTTP_201_CREATED)


class Confirm(OpenView):
    @extend_schema(
        tags=TAGS,
        auth=[],
        request=ConfirmSerializer,
        responses={200: PersonSerializer, 400: OpenApiResponse(description="The token is forged or too old")},
        examples=[
            request_example(token="WyI3YzlkM2YwZSJd:1tQvZp:signature"),
            response_example(PERSON | {"confirmed": True}),
        ],
    )
    def post(self, request: Request) -> Response:
        """Confirm the e-mail with the token from the mailed link. Doing it twice is fine."""
        serializer = ConfirmSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        try:
            user = people.confirm(serializer.validated_data["token"])
        except people.BadLink as error:
            raise serializers.ValidationError({"token": [str(error)]}) from error
        return Response(PersonSerializer(user).data)


@extend_schema(
    tags=TAGS,
    auth=[],
    responses={200: TokenSerializer, 401: OpenApiResponse(description="Wrong e-mail or password, or switched off")},
    examples=[
        request_example(email="anna@example.org", password="a long film title"),
        response_example({"access": ACCESS, "refresh": REFRESH, "confirmed": False}),
    ],
)
class Token(TokenObtainPairView):
    """Log in: an access token for some minutes and a refresh token for some weeks."""

    serializer_class = TokenSerializer
    throttle_classes = (ScopedRateThrottle,)
    throttle_scope = "auth"


@extend_schema(
    tags=TAGS,
    auth=[],
    responses={200: RefreshSerializer, 401: OpenApiResponse(description="The token is used, too old or not ours")},
    examples=[request_example(refresh=REFRESH), response_example({"access": ACCESS, "refresh": REFRESH})],
)
class Refresh(TokenRefreshView):
    """Trade a refresh token for new ones. Each works once."""

    serializer_class = RefreshSerializer


class LogOut(TokenBlacklistView):
    @extend_schema(
        tags=TAGS,
        auth=[],
        request=RefreshRequestSerializer,
        responses={204: None, 401: OpenApiResponse(description="The token is used, too old or not ours")},
        examples=[request_example(refresh=REFRESH)],
    )
    def post(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Log out: the refresh token works no more. The access token lives out its few minutes."""
        super().post(request, *args, **kwargs)
        return Response(status=status.HTTP_204_NO_CONTENT)


class Me(APIView):
    @extend_schema(
        tags=TAGS,
        responses=MeSerializer,
        examples=[response_example(PERSON | {"name": "Anna", "confirmed": True, "roles": []})],
    )
    def get(self, request: Request) -> Response:
        """Oneself."""
        return Response(MeSerializer(cast(User, request.user)).data)
