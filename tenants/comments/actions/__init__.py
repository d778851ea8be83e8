"""What customers and staff do in threads: each function runs inside the caller's unit of work."""

from tenants.comments.actions.changing import delete_comment, edit_comment
from tenants.comments.actions.notifying import mark_notified, mute_thread, notify_side, unmute_thread
from tenants.comments.actions.posting import post_comment
from tenants.comments.actions.state import mark_seen, reopen_thread, resolve_thread

__all__ = [
    "delete_comment",
    "edit_comment",
    "mark_notified",
    "mark_seen",
    "mute_thread",
    "notify_side",
    "post_comment",
    "reopen_thread",
    "resolve_thread",
    "unmute_thread",
]
