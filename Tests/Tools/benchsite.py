"""Building blocks of measurements: stores, gateways and agents, and their use of processors and memory."""
import os
import pathlib
import re
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ROOT / ".venv" / "bin"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port, process):
    while process.poll() is None:
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit(f"a server ended: {process.args}")


def run(*words, environment=None):
    """Runs a program to its end. Returns wall-clock seconds, CPU seconds and the output."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout


def compiled(work, name, *flags):
    """Compiles a C file of Tests/Tools, with the compiler that every Swift toolchain has."""
    program = work / name
    beside = pathlib.Path(os.path.realpath(shutil.which("swift"))).parent / "clang"
    subprocess.run([beside if beside.exists() else "cc", "-O2", "-pthread", *flags, "-o", program, ROOT / "Tests" / "Tools" / f"{name}.c"],
                   check=True)
    return program


class Store:
    """An S3 server."""

    def arguments(self):
        """Returns the options of a gateway that relays into this server."""
        return ["--store", f"s3://{self.bucket}", "--s3-endpoint", f"http://127.0.0.1:{self.port}", *self.options]


class NullS3(Store):
    name, bucket = "null S3", "bucket"
    keys = {"AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
    options = ["--verify", "store"]

    def __init__(self, work):
        program = compiled(work, "null-s3")
        self.port = free_port()
        self.process = subprocess.Popen(
            [program, "127.0.0.1", str(self.port)], stdout=subprocess.PIPE, text=True)
        wait_for_port(self.port, self.process)

    def end(self):
        self.process.terminate()
        return self.process.communicate()[0].strip().splitlines()


class JuiceFS(Store):
    name, bucket = "JuiceFS", "volume"
    keys = {"AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "a secret of the bench"}
    options = []

    def __init__(self, work):
        folder = work / "juicefs"
        folder.mkdir()
        database = f"sqlite3://{folder}/metadata.db"
        environment = os.environ | {
            "HOME": str(folder), "MINIO_ROOT_USER": self.keys["AWS_ACCESS_KEY_ID"],
            "MINIO_ROOT_PASSWORD": self.keys["AWS_SECRET_ACCESS_KEY"],
        }
        juicefs = TOOLS / "juicefs"
        run(juicefs, "format", "--storage", "file", "--bucket", f"{folder}/data/", "--trash-days", "0", database,
            self.bucket, environment=environment)
        self.port = free_port()
        self.process = subprocess.Popen(
            [juicefs, "gateway", "--no-usage-report", "--no-bgjob", "--backup-meta", "0", "--cache-dir",
             f"{folder}/cache", "--log", f"{folder}/log", "--metrics", "127.0.0.1:0", database,
             f"127.0.0.1:{self.port}"],
            env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if "IAM initialization complete" in line:
                break
        wait_for_port(self.port, self.process)

    def end(self):
        self.process.kill()
        self.process.wait()
        return []


class Gateway:
    """A gateway in its own home, with any number of agents' homes."""

    def __init__(self, binaries, work, store, *options, inside=(), listen="127.0.0.1", environment=None):
        self.agent, self.gateway = binaries / "sluice-agent", binaries / "sluice-gateway"
        self.home = pathlib.Path(tempfile.mkdtemp(dir=work))
        self.options = options
        self.pin = run(self.gateway, "init", self.home / "gateway")[2].split()[-1]
        port = free_port() if listen == "127.0.0.1" else 7420
        self.address = f"{listen}:{port}"
        self.process = subprocess.Popen(
            [*inside, self.gateway, "serve", "--home", self.home / "gateway", "--listen", self.address, *store,
             *options], env=os.environ | (environment or {}), stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()

    def make_agent(self, name="agent", *limits, through=None):
        """Returns the agent's home. `through`: the gateway's address, if the agent connects through a proxy or link."""
        home = self.home / name
        device = run(self.agent, "init", "--home", home, "--gateway", through or self.address, "--pin",
                     self.pin)[2].split()[-1]
        run(self.gateway, "device", "add", name, "--fingerprint", device, "--prefix", "", "--home",
            self.home / "gateway", *limits)
        return home

    def push(self, home, *words, inside=(), environment=None):
        """Pushes files. Returns wall-clock and CPU seconds of the agent, and CPU seconds of the gateway."""
        before = self.readings()[0]
        wall, cpu, _ = run(*inside, self.agent, "push", *words, "--home", home, "--quiet", *(
            word for word in self.options if word == "--plaintext"), environment=os.environ | (environment or {}))
        return {"wall": wall, "agent": cpu, "gateway": self.readings()[0] - before}

    def push_all(self, work, *words):
        """Pushes with several agents at once. `work`: home and files of each agent; keys begin with the home's name."""
        before, start, used = self.readings()[0], time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        agents = [subprocess.Popen([self.agent, "push", files, "--home", home, "--prefix", f"{home.name}/", "--quiet", *words])
                  for home, files in work]
        if any([agent.wait() for agent in agents]):
            sys.exit("an agent failed")
        wall, after = time.monotonic() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        return {"wall": wall, "agent": cpu, "gateway": self.readings()[0] - before}

    def readings(self):
        """Returns CPU seconds, and the peak memory and present memory in MiB."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        cpu = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return cpu, *(int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) / 1024 for name in ("VmHWM", "VmRSS"))

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


class Meter:
    """A proxy that records the times and numbers of bytes from the client."""

    def __init__(self, target):
        self.target, self.events, self.counts = target, [], []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.create_connection(self.target)
            self.counts.append(0)
            index = len(self.counts) - 1
            threading.Thread(target=self.copy, args=(client, server, index), daemon=True).start()
            threading.Thread(target=self.copy, args=(server, client, None), daemon=True).start()

    def copy(self, source, sink, index):
        try:
            while data := source.recv(1 << 16):
                if index is not None:
                    self.events.append((time.monotonic(), len(data)))
                    self.counts[index] += len(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # One end is gone; the thread of the other direction handles the other end.

    def rates(self, window, skipping):
        """Bytes per second in every window; `skipping` seconds at both ends are left out."""
        start, end = self.events[0][0] + skipping, self.events[-1][0] - skipping
        rates, low, total = [], 0, 0
        inside = [(moment, count) for moment, count in self.events if start <= moment <= end]
        for moment, count in inside:
            total += count
            while inside[low][0] < moment - window:
                total -= inside[low][1]
                low += 1
            if moment - window >= start:
                rates.append(total / window)
        return rates

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.close()
