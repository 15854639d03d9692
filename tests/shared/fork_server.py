"""Python processes that begin with jax and all that the package uses imported, forked from one.

A process spends two seconds on imports before it does anything. Where a test is not about how a
process starts, the process comes from a `ForkServer`: one that has imported everything, has
computed nothing with jax (after that forking is not safe), and forks on request. What it forks has
arguments, folder, environment and output of its own, runs `-m MODULE` or `-c CODE` as `__main__`
and ends as any other Python.

    python fork_server.py ADDRESS MODULE...   serves at this path until its standard input ends
"""

import concurrent.futures
import contextlib
import gc
import importlib
import json
import os
import pathlib
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import IO, NamedTuple

ROOT = pathlib.Path(__file__).parents[2]
IMPORTED = (
  *("mer_jax.cli.train", "mer_jax.experiment.variants", "mer_jax.experiment.grid"),
  *("mer_jax.experiment.external_features", "data_builders.build", "data_builders.synthetic"),
  *("tensorflow_datasets.core.data_sources.array_record", "matplotlib.backends.backend_agg"),
  *("ml_collections.config_flags", "orbax.checkpoint", "jaxlib.mlir.dialects.mhlo"),
)
# Read while jax is imported: a process for which these differ from the server's cannot be forked.
AT_IMPORT = ("JAX_", "XLA_")
# Read later, when the processes of a run look for each other.
LATER = ("JAX_COORDINATOR_ADDRESS", "JAX_NUM_PROCESSES", "JAX_PROCESS_ID")


class Process:
  """A forked process, with the part of subprocess.Popen's interface that tests use."""

  def __init__(self, connection: socket.socket, arguments: Sequence[str], pipes: Sequence[int]):
    """`pipes`: where what it writes to standard output and standard error comes out, if read."""
    self.args, self.returncode = arguments, None
    self._connection, self._lines = connection, connection.makefile("r")
    self.pid = int(self._lines.readline())
    pool = concurrent.futures.ThreadPoolExecutor(2)
    self._texts = [pool.submit(_content, pipe) for pipe in pipes]
    pool.shutdown(wait=False)

  def poll(self) -> int | None:
    """The exit code, or -N of signal N, or None while it runs."""
    if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
      self.wait()
    return self.returncode

  def wait(self, timeout: float | None = None) -> int:
    """Waits for its end; raises subprocess.TimeoutExpired after `timeout` seconds."""
    if self.returncode is None:
      if not select.select([self._connection], [], [], timeout)[0]:
        raise subprocess.TimeoutExpired(list(self.args), timeout or 0)
      self.returncode = int(self._lines.readline())
      self._lines.close()
      self._connection.close()
    return self.returncode

  def communicate(self, timeout: float | None = None) -> tuple[str, str]:
    """Waits, and returns what it wrote to standard output and standard error."""
    self.wait(timeout)
    out, err = (text.result() for text in self._texts)
    return out, err

  def send_signal(self, number: int) -> None:
    """Signals it, unless it has ended."""
    if self.poll() is None:
      with contextlib.suppress(ProcessLookupError):
        os.kill(self.pid, number)

  def kill(self) -> None:
    """Ends it at once, if it runs."""
    self.send_signal(signal.SIGKILL)


class ForkServer:
  """Forks Python processes that have `environment`; a context manager."""

  def __init__(self, environment: Mapping[str, str], imported: Sequence[str] = IMPORTED):
    self.environment = dict(environment)
    # Not below pytest's folder: the path of a socket must be short.
    self._folder = tempfile.mkdtemp(prefix="fork")
    self._address = f"{self._folder}/server"
    self._server = subprocess.Popen(
      [sys.executable, __file__, self._address, *imported],
      env=self.environment,
      stdin=subprocess.PIPE,
      cwd=ROOT,
    )

  def __enter__(self) -> "ForkServer":
    return self

  def __exit__(self, *_: object) -> None:
    self._server.communicate()
    shutil.rmtree(self._folder)

  @property
  def address(self) -> str:
    """Where it listens; waits until it does."""
    while not os.path.exists(self._address):
      assert self._server.poll() is None, "the server ended"
      time.sleep(0.01)
    return self._address

  def start(
    self,
    arguments: Sequence[object],
    folder: pathlib.Path,
    environment: Mapping[str, str] | None = None,
    output: tuple[IO[str], IO[str]] | None = None,
  ) -> Process:
    """Starts `python *arguments` in `folder`.

    Args:
      arguments: ("-m", MODULE, ...) or ("-c", CODE, ...).
      folder: where it runs.
      environment: default that of the server; may differ in nothing that jax reads when imported.
      output: files for standard output and standard error; default: see Process.communicate.
    """
    environment = self.environment if environment is None else environment
    request = Request(list(map(str, arguments)), str(folder), dict(environment))
    if output:
      fds = [file.fileno() for file in output]
      return Process(_ask(self.address, request, fds), request.arguments, ())
    (out, to_out), (err, to_err) = os.pipe(), os.pipe()
    connection = _ask(self.address, request, [to_out, to_err])
    os.close(to_out)
    os.close(to_err)
    return Process(connection, request.arguments, (out, err))

  def run(
    self,
    arguments: Sequence[object],
    folder: pathlib.Path,
    environment: Mapping[str, str] | None = None,
  ) -> subprocess.CompletedProcess[str]:
    """Runs `python *arguments` in `folder` to its end, as subprocess.run does."""
    process = self.start(arguments, folder, environment)
    out, err = process.communicate()
    return subprocess.CompletedProcess(process.args, process.wait(), out, err)


class Request(NamedTuple):
  """What a process is started with."""

  arguments: list[str]
  folder: str
  environment: dict[str, str]


def replace_this_process(address: str, arguments: Sequence[str]) -> None:
  """Ends this process with the exit code of one forked in its place.

  Returns where that process cannot be forked, because of a variable that jax reads when imported.
  """
  request = Request(list(arguments), os.getcwd(), dict(os.environ))
  lines = _ask(address, request, [1, 2]).makefile("r")
  if int(lines.readline()) > 0:
    os._exit(int(lines.readline()) % 256)


def _ask(address: str, request: Request, fds: Sequence[int]) -> socket.socket:
  """Sends the server what to fork; it replies with a process id or -1, and then an exit code."""
  connection = socket.socket(socket.AF_UNIX)
  connection.connect(address)
  message = json.dumps(request).encode()
  socket.send_fds(connection, [len(message).to_bytes(4)], fds)
  connection.sendall(message)
  return connection


def _content(pipe: int) -> str:
  with open(pipe, encoding="utf-8") as file:
    return file.read()


def serve(address: str, imported: Sequence[str]) -> Request | None:
  """Forks until standard input ends; returns in each forked process what it is to run."""
  signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's, meant for the tests
  sys.path[0] = str(ROOT)
  for module in imported:
    importlib.import_module(module)
  if imported:
    _prepare()
  gc.freeze()
  with socket.socket(socket.AF_UNIX) as listening:
    listening.bind(f"{address}.early")
    listening.listen()
    os.rename(f"{address}.early", address)
    while listening in select.select([listening, sys.stdin], [], [])[0]:
      with listening.accept()[0] as connection:
        request, fds = _received(connection)
        if not _can_be_forked(request):
          connection.sendall(b"-1\n")
        elif not os.fork():
          return _forked(connection, request, fds)
      for fd in fds:
        os.close(fd)
  with contextlib.suppress(ChildProcessError):
    while os.wait():
      pass
  return None


def _prepare() -> None:
  """Parses the package for `sources.digests`, which each forked process would do again."""
  from mer_jax.experiment import config_files, sources, trainer

  config = config_files.module("demo").get_config("casme2")
  sources.digests(trainer.roots(config, trainer.build_model(config, 3), epochs_selected=True))


def _received(connection: socket.socket) -> tuple[Request, list[int]]:
  length, fds, _, _ = socket.recv_fds(connection, 4, 2)
  message = b""
  while len(message) < int.from_bytes(length):
    message += connection.recv(1 << 20)
  return Request(*json.loads(message)), fds


def _can_be_forked(request: Request) -> bool:
  """Whether what jax reads when it is imported is the same here and in the request."""
  own, asked = (
    {k: v for k, v in each.items() if k.startswith(AT_IMPORT) and k not in LATER}
    for each in (os.environ, request.environment)
  )
  return own == asked


def _forked(connection: socket.socket, request: Request, fds: list[int]) -> Request:
  """Forks once more and returns in the new process; this one reports its end."""
  child = os.fork()
  if child:
    for fd in fds:
      os.close(fd)
    with contextlib.suppress(BrokenPipeError):
      connection.sendall(f"{child}\n".encode())
      _, status = os.waitpid(child, 0)
      connection.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)
  connection.close()
  for number, fd in enumerate(fds, 1):
    os.dup2(fd, number)
    os.close(fd)
  return request


def _become(request: Request) -> None:
  """Runs what was asked for, as `python *arguments` does."""
  signal.signal(signal.SIGINT, signal.default_int_handler)
  before = {*os.environ.get("PYTHONPATH", "").split(os.pathsep), str(ROOT)}
  os.environ.clear()
  os.environ.update(request.environment)
  os.chdir(request.folder)
  given = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
  sys.path[:] = [request.folder, *given, *(path for path in sys.path if path not in before)]
  kind, name, *arguments = request.arguments
  sys.argv[:] = [kind, *arguments]
  if kind == "-m":
    runpy.run_module(name, run_name="__main__", alter_sys=True)
  else:
    exec(compile(name, "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
  if (asked := serve(sys.argv[1], sys.argv[2:])) is not None:
    _become(asked)
