from django.urls import include, path
from rest_framework.routers import SimpleRouter
from rest_framework_nested.routers import NestedSimpleRouter

from community.views import blog, conversations, feedback

router = SimpleRouter()
router.register("blog", blog.PostViewSet, basename="post")
router.register("conversations", conversations.ConversationViewSet, basename="conversation")
router.register("feedback", feedback.FeedbackViewSet, basename="feedback")

in_conversation = NestedSimpleRouter(router, "conversations", lookup="conversation")
in_conversation.register("messages", conversations.MessageViewSet, basename="message")

urlpatterns = [
    # Before the posts: "feed" looks like the address of one.
    path("blog/feed/", blog.FeedView.as_view(), name="blog-feed"),
    path("", include(router.urls)),
    path("", include(in_conversation.urls)),
]
