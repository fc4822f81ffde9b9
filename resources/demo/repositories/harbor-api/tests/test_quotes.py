import unittest

from app.database import connect
from app.quotes import service
from app.quotes.limits import Bucket


class Quotes(unittest.TestCase):
    def setUp(self):
        self.db = connect()
        self.addCleanup(self.db.close)

    def test_refuses_a_negative_price(self):
        with self.assertRaises(ValueError):
            service.create(self.db, "mira", -1, 0)

    def test_closes_only_stale_quotes(self):
        service.create(self.db, "old", 100, 0)
        service.create(self.db, "new", 100, service.STALE_AFTER)
        self.assertEqual(service.close_stale(self.db, service.STALE_AFTER + 1), 1)

    def test_bucket_opens_again_after_a_minute(self):
        bucket = Bucket(2)
        self.assertEqual([bucket.allow(at) for at in (0, 1, 2, 61)], [True, True, False, True])


if __name__ == "__main__":
    unittest.main()
