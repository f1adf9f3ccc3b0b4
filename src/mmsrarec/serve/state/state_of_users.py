"""What the server holds of users in memory.

Where there are too many, the first that came go first; the database has them when they are asked for again.
"""

from collections import OrderedDict

from sqlalchemy import Connection

from mmsrarec.serve.state.user_events import UserState, load_user

MAX_USERS = 50_000


class StateOfUsers:
    """States by user. Filled and emptied in the thread of the database alone, so that no state is older than a write.

    Attributes:
        size: Users at most.
    """

    def __init__(self, size: int = MAX_USERS) -> None:
        self.size = size
        self._states: OrderedDict[str, UserState] = OrderedDict()

    def get(self, user: str) -> UserState | None:
        """The state in memory."""
        return self._states.get(user)

    def load(self, connection: Connection, user: str) -> UserState:
        """The state, read from the database where it is not in memory."""
        state = self._states.get(user)
        if state is None:
            state = self._states[user] = load_user(connection, user)
            if len(self._states) > self.size:
                self._states.popitem(last=False)
        return state

    def forget(self, user: str) -> None:
        """Drop a state, which is other from now on."""
        self._states.pop(user, None)

    def clear(self) -> None:
        """Drop all states, where it is not known what the database holds."""
        self._states.clear()
