"""One file of one host, and what comes of asking for it: what tests of the fetcher ask for."""

HOST = "data.example.org"
URL = f"https://{HOST}/figures.csv"
CSV = "year,value\n2001,1\n2002,2\n"


def answer(client, url=URL, **options):
    (exchange,) = client.get(url, hosts=[HOST], form="csv", **options)
    return exchange
