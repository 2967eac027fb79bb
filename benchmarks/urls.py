"""The product's addresses, and beside them those of the bare things."""

from django.urls import include, path

from benchmarks import views

urlpatterns = [
    path("bare/empty", views.empty),
    path("bare/drf", views.Empty.as_view()),
    path("bare/one-query", views.OneQuery.as_view()),
    path("bare/store", views.store),
    path("bare/settle", views.settle),
    path("bare/begin", views.begin),
    path("bare/give-back", views.give_back),
    path("", include("billing_project.urls")),
]
