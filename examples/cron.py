"""Jobs by the clock: a worker without an address, in the style of a crontab."""

import asyncio

from lineman import Worker

worker = Worker(name="jobs")


@worker.cron("* * * * * *")  # with six fields the first one is the second
def each_second():
    print("each second")


@worker.cron("30 3 * * MON-FRI", tz="Asia/Shanghai", finish=True)
async def report():
    await asyncio.sleep(60)  # a reload or a stop waits for the end of the report
    print("the report is written")


Worker.run_all()
