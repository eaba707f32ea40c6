from community.models.blog import Post, PostTag
from community.models.conversations import Conversation, Message, Participant
from community.models.feedback import Feedback, FeedbackAnswer

__all__ = ["Conversation", "Feedback", "FeedbackAnswer", "Message", "Participant", "Post", "PostTag"]
