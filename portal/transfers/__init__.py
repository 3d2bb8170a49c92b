"""Courses paid by transfer to the instructor: people send money, and people confirm that it came.

The learner gets a reference to write beside the transfer, and says when it is made (`start`, `tell`). Staff enter
what they see in the receiver's WeChat (`confirm`); beyond what one person may decide, another one agrees. A
confirmed transfer is settled as any payment is: by `payments/settle.py`, verified by a person. Nothing asks a
gateway about it, because no gateway knows of it.
"""
