"""A pipeline that is not Streamproof's: it puts records into a stream, and carries a stream's records to S3.

foreign.py put STREAM COUNT lines|glued|kpl
    puts COUNT JSON records, each on a line, without newlines, or packed by the Kinesis aggregation library.
foreign.py make STREAM
    makes a stream of two shards.
foreign.py trips STREAM COUNT BAD
    puts COUNT taxi trips as the exercise has them, a line of CSV each, but each BAD-th is malformed.
foreign.py carry STREAM BUCKET KEY
    writes what the stream holds to an object, but drops each 1,000th record and doubles each 777th. It prints as JSON
    which sequence numbers were dropped, and how many records were doubled.
"""
import datetime
import json
import sys

import boto3
from aws_kinesis_agg.aggregator import RecordAggregator

kinesis, s3 = boto3.client("kinesis"), boto3.client("s3")


def put(stream, count, how):
    rows = [json.dumps({"order": n, "amount": n % 97}).encode() for n in range(count)]
    keys = ["customer-%d" % (n % 7) for n in range(count)]
    if how == "kpl":
        aggregator = RecordAggregator()
        records = []
        for row, key in zip(rows, keys):
            if aggregator.get_num_user_records() == 100:
                records.append(aggregator.clear_and_get().get_contents())
            aggregator.add_user_record(partition_key=key, data=row + b"\n")
        records.append(aggregator.clear_and_get().get_contents())
        records = [{"PartitionKey": key, "Data": data} for key, _, data in records]
    else:
        end = b"\n" if how == "lines" else b""
        records = [{"PartitionKey": key, "Data": row + end} for row, key in zip(rows, keys)]
    for at in range(0, len(records), 500):
        answer = kinesis.put_records(StreamName=stream, Records=records[at:at + 500])
        assert answer["FailedRecordCount"] == 0, answer


def make(stream):
    kinesis.create_stream(StreamName=stream, ShardCount=2)
    kinesis.get_waiter("stream_exists").wait(StreamName=stream, WaiterConfig={"Delay": 1})


def trips(stream, count, bad):
    began = datetime.datetime.now(datetime.timezone.utc)
    records = []
    for n in range(1, count + 1):
        pickup = began + datetime.timedelta(milliseconds=n)
        trip = [n % 4 + 1, pickup, pickup + datetime.timedelta(minutes=n % 59), n % 9 + 1, n % 10 + 1, -73.9 - n / 1e4, 40.7 + n / 1e4, 1, "N",
                -73.8, 40.6, n % 5 + 1, n % 100 + 1, 0, 0.5, n % 7, 0, 0.3, n % 100 + n % 7 + 1.8]
        line = ",".join(v.strftime("%Y-%m-%d %H:%M:%S") if isinstance(v, datetime.datetime) else str(v) for v in trip)
        if n % bad == 0:
            line = "trip %d is lost to the meter" % n
        records.append({"PartitionKey": "cab-%d" % (n % 50), "Data": line.encode() + b"\n"})
    for at in range(0, len(records), 500):
        answer = kinesis.put_records(StreamName=stream, Records=records[at:at + 500])
        assert answer["FailedRecordCount"] == 0, answer


def carry(stream, bucket, key):
    read, lines, dropped, doubled = 0, [], [], 0
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        iterator = kinesis.get_shard_iterator(
            StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        while True:
            page = kinesis.get_records(ShardIterator=iterator, Limit=1000)
            iterator = page.get("NextShardIterator")
            for record in page["Records"]:
                read += 1
                if read % 1000 == 0:
                    dropped.append(record["SequenceNumber"])
                    continue
                lines.append(record["Data"])
                if read % 777 == 0:
                    lines.append(record["Data"])
                    doubled += 1
            if not page["Records"] or iterator is None:
                break
    s3.put_object(Bucket=bucket, Key=key, Body=b"".join(lines))
    print(json.dumps({"dropped": dropped, "doubled": doubled}))


if sys.argv[1] == "put":
    put(sys.argv[2], int(sys.argv[3]), sys.argv[4])
elif sys.argv[1] == "make":
    make(sys.argv[2])
elif sys.argv[1] == "trips":
    trips(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
else:
    carry(*sys.argv[2:])
