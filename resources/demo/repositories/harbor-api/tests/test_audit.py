import unittest

from app.audit import queries
from app.database import connect


class AuditLog(unittest.TestCase):
    def setUp(self):
        self.db = connect()
        self.addCleanup(self.db.close)
        for at in range(200):
            queries.record(self.db, f"user-{at % 4}", "login", at)

    def test_latest_is_newest_first(self):
        self.assertEqual([row["at"] for row in queries.latest(self.db, 3)], [199, 198, 197])

    def test_by_actor_gives_one_actor_only(self):
        rows = queries.by_actor(self.db, "user-1", 5)
        self.assertEqual({row["actor"] for row in rows}, {"user-1"})
        self.assertEqual(len(rows), 5)


if __name__ == "__main__":
    unittest.main()
