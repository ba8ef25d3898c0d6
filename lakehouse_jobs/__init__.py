"""The lake: bronze, silver and gold tables in Iceberg, fed from Kafka by one Spark application (see `sink.py`)."""
