import Foundation
import TestSupport
import Testing

private let shell = Executable(path: "/bin/sh")

/// Tests that child programs run, are captured, measured and killed, and never outlive their scope.
@Suite(.timeLimit(.minutes(5))) struct ProgramTests {
    @Test func capturesBothOutputsLineByLine() async throws {
        let program = try await run(shell, ["-c", "echo one; echo two >&2; printf 'three\\nfour'; exit 3"])
        #expect(program.lines(of: .standardOutput) == ["one", "three", "four"])
        #expect(program.lines(of: .standardError) == ["two"])
        #expect(program.exitStatus == .exited(3))
        #expect(program.lines.map(\.index) == [0, 1, 2, 3])
    }

    /// The script writes about ten times a pipe's capacity to each output.
    @Test func neverBlocksTheProgramOnAFullPipe() async throws {
        let script = "yes out | head -n 160000 & yes err | head -n 160000 >&2; wait"
        let program = try await run(shell, ["-c", script])
        #expect(program.lines(of: .standardOutput).count == 160_000)
        #expect(program.lines(of: .standardError).count == 160_000)
        #expect(program.exitStatus == .exited(0))
    }

    @Test func waitsForALineAsItComes() async throws {
        try await withProgram(shell, ["-c", "echo ready 7420; read -r _ </dev/zero"]) { program in
            let line = try await program.waitForLine(of: .standardOutput) { $0.hasPrefix("ready") }
            #expect(line.text == "ready 7420")
            #expect(program.exitStatus == nil)
        }
    }

    @Test func findsTheNextLineLikeOneSeenBefore() async throws {
        try await withProgram(shell, ["-c", "echo again; echo again; exec sleep 600"]) { program in
            let first = try await program.waitForLine { $0 == "again" }
            let second = try await program.waitForLine(after: first) { $0 == "again" }
            #expect(second.index > first.index)
        }
    }

    @Test func missingLineErrorHasTheOutput() async throws {
        try await withProgram(shell, ["-c", "echo something else; exec sleep 600"]) { program in
            try await program.waitForLine { $0 == "something else" }
            let error = await #expect(throws: DeadlineExceeded.self) {
                try await program.waitForLine(within: .milliseconds(50)) { $0 == "ready" }
            }
            #expect(error?.description.contains("1> something else") == true)
        }
    }

    @Test func doesNotWaitForALineOfAProgramThatEnded() async throws {
        try await withProgram(shell, ["-c", "echo cannot listen >&2; exit 1"]) { program in
            let error = await #expect(throws: EndedEarly.self) {
                try await program.waitForLine { $0 == "ready" }
            }
            #expect(error?.status == .exited(1))
            #expect(error?.description.contains("2> cannot listen") == true)
        }
    }

    @Test(arguments: [SIGKILL, SIGTERM, SIGINT]) func deliversSignals(signal: Int32) async throws {
        try await withProgram(shell, ["-c", "echo ready; exec sleep 600"]) { program in
            try await program.waitForLine { $0 == "ready" }
            program.kill(signal)
            #expect(try await program.waitForExit() == .killed(signal: signal))
        }
    }

    @Test func letsAProgramHandleItsSignal() async throws {
        let script = "trap 'echo draining; exit 0' TERM; echo ready; while :; do sleep 0.01; done"
        try await withProgram(shell, ["-c", script]) { program in
            try await program.waitForLine { $0 == "ready" }
            program.kill(SIGTERM)
            #expect(try await program.waitForExit() == .exited(0))
            #expect(program.lines(of: .standardOutput).last == "draining")
        }
    }

    @Test func stopsAndContinuesAProgram() async throws {
        try await withProgram(shell, ["-c", "while :; do echo tick; sleep 0.01; done"]) { program in
            try await program.waitForLine { $0 == "tick" }
            program.kill(SIGSTOP)
            try await waitUntil("it is stopped") { state(of: program.processID) == "T" }
            program.kill(SIGCONT)
            let last = try #require(program.lines.last)
            try await program.waitForLine(after: last) { $0 == "tick" }
        }
    }

    @Test func endOfScopeEndsTheProcess() async throws {
        let processIDs = try await withProgram(shell, ["-c", "sleep 600 & echo $!; wait"]) { program in
            let line = try await program.waitForLine { !$0.isEmpty }
            return [program.processID, try #require(pid_t(line.text))]
        }
        for processID in processIDs {
            // The process that adopted the descendant has to reap it. Until then the descendant may be a zombie.
            try await waitUntil("\(processID) to be gone") { [nil, "Z"].contains(state(of: processID)) }
        }
        #expect(state(of: processIDs[0]) == nil)
    }

    @Test func endsAProgramWhoseScopeThrows() async throws {
        struct Thrown: Error {}
        let seen = Watched<pid_t?>(nil)
        await #expect(throws: Thrown.self) {
            try await withProgram(shell, ["-c", "exec sleep 600"]) { program in
                seen.update { $0 = program.processID }
                throw Thrown()
            }
        }
        let processID = try #require(seen.current)
        #expect(state(of: processID) == nil)
    }

    /// A descendant in a process group of its own is not killed, and keeps the output open.
    @Test func doesNotWaitForOutputsThatOthersHoldOpen() async throws {
        let program = try await run(shell, ["-c", "setsid sleep 20 & exit 0"])
        #expect(program.exitStatus == .exited(0))
    }

    @Test func childInheritsNothing() async throws {
        try await withTemporaryDirectory { directory in
            let script = "echo $GIVEN $SECRET; pwd; ls -l /proc/self/fd | grep -c -e ' -> '; cat"
            setenv("SECRET", "not for you", 1)
            let program = try await run(
                shell, ["-c", script], environment: Program.environment(adding: ["GIVEN": "given"]),
                workingDirectory: directory)
            let output = program.lines(of: .standardOutput)
            #expect(output[0] == "given")
            #expect(output[1] == directory.resolvingSymlinksInPath().path(percentEncoded: false).trimming("/"))
            // Four descriptors are open: the three standard ones, and the directory that `ls` reads. Sockets and pipes
            // of the test process must not be inherited.
            #expect(output[2] == "4", "\(program.transcript)")
            #expect(output.count == 3)
        }
    }

    @Test func missingProgramFailsToStart() async throws {
        #expect(throws: ExecutableMissing.self) { try Executable.built("sluice-nothing") }
        #expect(throws: ExecutableMissing.self) { try Executable.tool("nothing") }
        let program = try await run(Executable(path: "/nonexistent/program"))
        #expect(program.exitStatus == .exited(127))
    }

    @Test func runsTheProgramsOfThisBuild() async throws {
        let program = try await run(try Executable.built("sluice-gateway"), ["--help"])
        #expect(program.exitStatus == .exited(0))
        #expect(!program.lines(of: .standardOutput).isEmpty)
    }

    @Test func readsMemoryAndTime() async throws {
        // The script makes a string of 32 MiB, computes for a while, then waits to be measured.
        let script = """
            s=0123456789abcdef; i=0; while [ $i -lt 21 ]; do s=$s$s; i=$((i + 1)); done
            i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done; echo ready; sleep 600 & wait
            """
        try await withProgram(shell, ["-c", script]) { program in
            try await program.waitForLine { $0 == "ready" }
            let (memory, time) = (program.peakMemoryBytes, program.processorSeconds)
            #expect(memory > 32 << 20)
            #expect(memory < 1 << 30)
            #expect(time > 0.01)
            #expect(program.openDescriptorCount >= 3)
            program.kill(SIGKILL)
            try await program.waitForExit()
            #expect(program.peakMemoryBytes >= memory)
            #expect(program.processorSeconds >= time - 0.01)
            #expect(program.openDescriptorCount == 0)
        }
    }

    /// Returns the state letter of proc(5), or `nil` if there is no such process.
    private func state(of processID: pid_t) -> Character? {
        // Reading fails only if the process does not exist.
        let stat = try? String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8)
        return stat?.split(separator: ")").last?.dropFirst().first
    }

    /// Polls for kernel state that has no notification.
    private func waitUntil(_ awaited: String, _ isSo: @escaping @Sendable () -> Bool) async throws {
        try await withDeadline(.seconds(120), awaited) {
            while !isSo() {
                try Task.checkCancellation()
                await Task.yield()
            }
        }
    }
}

extension String {
    fileprivate func trimming(_ suffix: String) -> String {
        hasSuffix(suffix) ? String(dropLast(suffix.count)) : self
    }
}
