"""Texts of libraries that answers may show and that the libraries' own Russian lacks or tells badly. Naming them here
puts them into our catalogue, which goes before theirs."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

TEXTS = (
    # Simple JWT
    _("Authorization header must contain two space-delimited values"),
    _("Given token not valid for any token type"),
    _("Token is invalid or expired"),
    # Django REST framework
    _("Must be a valid boolean."),
    _("Must be a valid UUID."),
    _("Not a valid string."),
    _("Ensure this field has no more than {max_length} characters."),
    _("Ensure this field has at least {min_length} characters."),
    _("Ensure that there are no more than {max_digits} digits in total."),
    _("Ensure that there are no more than {max_decimal_places} decimal places."),
    _("Ensure that there are no more than {max_whole_digits} digits before the decimal point."),
    _("Date has wrong format. Use one of these formats instead: {format}."),
    _("Datetime has wrong format. Use one of these formats instead: {format}."),
    _("Datetime value out of range."),
    _('Invalid datetime for the timezone "{timezone}".'),
    _("Invalid data. Expected a dictionary, but got {datatype}."),
    _('Expected a dictionary of items but got type "{input_type}".'),
    _('Expected a list of items but got type "{input_type}".'),
    _("Ensure this field has no more than {max_length} elements."),
    _("Ensure this field has at least {min_length} elements."),
    _('Invalid pk "{pk_value}" - object does not exist.'),
    _("Incorrect type. Expected pk value, received {data_type}."),
    _("The fields {field_names} must make a unique set."),
    _("Invalid cursor"),
    # Django
    _("“%(value)s” is not a valid UUID."),
    ngettext_lazy(
        "This password is too short. It must contain at least %d character.",
        "This password is too short. It must contain at least %d characters.",
    ),
)
