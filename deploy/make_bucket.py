"""Make the bucket for MLflow's artifacts; a bucket that exists stays as it is."""

import os

import boto3

BUCKET = os.environ["BUCKET"]
client = boto3.client("s3", endpoint_url=os.environ["MLFLOW_S3_ENDPOINT_URL"])
if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
    client.create_bucket(Bucket=BUCKET)
