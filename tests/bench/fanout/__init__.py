"""Fan-out, judged beside others: a load generator, the servers, alternating rounds, a table and a picture."""
