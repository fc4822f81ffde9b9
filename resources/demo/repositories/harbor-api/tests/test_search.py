import unittest

from app.database import connect
from app.search.service import find


class Search(unittest.TestCase):
    def setUp(self):
        self.db = connect()
        self.addCleanup(self.db.close)
        self.db.execute("INSERT INTO articles (title, cents) VALUES ('Anchor chain', 4900), ('Sail', 90000)")

    def test_finds_part_of_a_title(self):
        self.assertEqual([row["title"] for row in find(self.db, "chain", "mira")], ["Anchor chain"])

    def test_nothing_is_found(self):
        self.assertEqual(find(self.db, "rudder", "mira"), [])


if __name__ == "__main__":
    unittest.main()
