from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """Keyset pages: the thousandth costs what the first does, and none shifts while rows arrive."""

    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100
    ordering = ("-created_at", "id")
