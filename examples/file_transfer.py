"""Take files of any size and give them back, also in parts.

curl -F file=@film.mp4 http://127.0.0.1:8282/
curl -O http://127.0.0.1:8282/film.mp4
"""

import asyncio
from pathlib import Path

from lineman import Response, Worker

FOLDER = Path("files")
FOLDER.mkdir(exist_ok=True)
worker = Worker("http://0.0.0.0:8282", max_upload_size=10 * 1024**3)


@worker.on_request
async def transfer(request):
    if request.method != "POST":
        return Response(file=request.path, root=FOLDER)
    file = request.files["file"]
    await asyncio.to_thread(file.save, FOLDER / (file.filename or "unnamed"))
    return f"{file.size} bytes\n"


Worker.run_all()
