"""Licenses that staff give without the portal having seen a payment: asked for, approved, on record.

A grant has a reason and, where money was paid elsewhere, the number of that transaction; a number gives one
license only. What is worth more than one person may decide alone (`approvals/`) waits for a second one, who
approves exactly what was asked. Many at once come as a list and run as a batch (`batches/`).
"""
