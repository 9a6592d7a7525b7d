import AgentService
import Foundation
import Glibc
import NIOCore
import NIOPosix
import SystemSupport
import TestSupport
import Testing

/// Tests of the control socket with its client, over real sockets.
@Suite(.timeLimit(.minutes(2))) struct ControlServerTests {
    /// Runs `body` with a served socket.
    private func withServer(
        _ service: FakeService = FakeService(), limits: ControlLimits = ControlLimits(),
        _ body: (_ path: String, _ server: ControlServer) async throws -> Void
    ) async throws {
        try await withTemporaryDirectory("control") { directory in
            let path = directory.appending(path: "control.sock").path(percentEncoded: false)
            let server = try await ControlServer.start(
                at: path, service: service, group: MultiThreadedEventLoopGroup.singleton, limits: limits)
            let result: Result<Void, any Error>
            do {
                result = .success(try await body(path, server))
            } catch {
                result = .failure(error)
            }
            await server.stop()
            try result.get()
        }
    }

    /// What the server answers to bytes, until it closes the connection. Runs on threads that may block.
    private func answer(to bytes: String, at path: String) async throws -> String {
        try await NIOThreadPool.singleton.runIfActive { try Self.exchange(bytes, at: path) }
    }

    private static func exchange(_ bytes: String, at path: String) throws -> String {
        let socket = try LocalSocket.connected(to: path)
        defer { close(socket) }
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        // The server may close before it has read everything, so the result of the last writes does not matter.
        _ = Array(bytes.utf8).withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4_096)
        while true {
            let count = read(socket, &buffer, buffer.count)
            guard count > 0 else {
                // The test fails if the server did not close.
                guard count == 0 || errno == ECONNRESET else { throw POSIXError(.ETIMEDOUT) }
                return String(decoding: text, as: UTF8.self)
            }
            text += buffer.prefix(count)
        }
    }

    @Test func commandsReachTheService() async throws {
        let service = FakeService()
        try await withServer(service) { path, _ in
            let client = ControlClient(path: path)
            let status = try await client.status()
            #expect(status.gateway == "gw:7420" && status.folders.map(\.name) == ["cam"])
            try await client.pause("cam")
            try await client.unpause(nil)
            try await client.rescan("cam")
            #expect(try await client.retry(["cam:1.0", "cam:2.0"]) == 2)
            try await client.reload()
            let calls = ["status", "pause cam", "unpause -", "rescan cam", "retry cam:1.0 cam:2.0", "reload"]
            #expect(service.asked.current == calls)
        }
    }

    @Test func refusalReachesTheCommand() async throws {
        try await withServer { path, _ in
            await #expect(throws: ControlFailure.refused("there is no folder missing")) {
                try await ControlClient(path: path).pause("missing")
            }
        }
    }

    @Test func flushIsAnsweredWhenItIsDone() async throws {
        let service = FakeService()
        try await withServer(service) { path, _ in
            async let unproven = ControlClient(path: path).flush()
            try await service.asked.wait { $0.contains("flush") ? () : nil }
            service.unproven.update { $0 = 3 }
            #expect(try await unproven == 3)
        }
    }

    /// Otherwise every command that is interrupted would leave a wait in the service.
    @Test func flushEndsWhenItsClientLeaves() async throws {
        let service = FakeService()
        try await withServer(service) { path, _ in
            let waiting = Task { try await ControlClient(path: path).flush() }
            try await service.asked.wait { $0.contains("flush") ? () : nil }
            waiting.cancel()
            try await withDeadline(.seconds(60), "the flush to end") {
                try await service.asked.wait { $0.contains("flush ended") ? () : nil }
            }
            await #expect(throws: ControlFailure.self) { try await waiting.value }
        }
    }

    @Test func socketLeavesWithTheServer() async throws {
        let service = FakeService()
        try await withServer(service) { path, server in
            let waiting = Task { try await ControlClient(path: path).flush() }
            try await service.asked.wait { $0.contains("flush") ? () : nil }
            await server.stop()
            #expect(!FileManager.default.fileExists(atPath: path))
            await #expect(throws: ControlFailure.noService) { try await ControlClient(path: path).status() }
            let failure = await #expect(throws: ControlFailure.self) { try await waiting.value }
            guard case .interrupted = failure else {
                Issue.record("\(String(describing: failure))")
                return
            }
        }
    }

    @Test func missingSocketMeansNoService() async throws {
        try await withTemporaryDirectory { directory in
            let path = directory.appending(path: "control.sock").path(percentEncoded: false)
            await #expect(throws: ControlFailure.noService) { try await ControlClient(path: path).status() }
        }
    }

    // MARK: Limits

    @Test func wrongRequestsAreAnswered() async throws {
        let spaces = String(repeating: " ", count: 65_537)
        try await withServer { path, _ in
            for (request, status) in [
                ("GET /v1/missing HTTP/1.1\r\n\r\n", "404 Not Found"),
                ("GET /v1/pause HTTP/1.1\r\n\r\n", "405 Method Not Allowed"),
                ("POST /v1/pause HTTP/1.1\r\ncontent-length: 1\r\n\r\n{", "400 Bad Request"),
                ("no HTTP at all\r\n\r\n", "400 Bad Request"),
                ("POST /v1/pause HTTP/1.1\r\ncontent-length: 65537\r\n\r\n\(spaces)", "413 Payload Too Large"),
            ] {
                let text = try await answer(to: request, at: path)
                #expect(text.hasPrefix("HTTP/1.1 \(status)\r\n"), "\(request.prefix(40)): \(text.prefix(80))")
            }
        }
    }

    @Test func endlessRequestIsCut() async throws {
        var limits = ControlLimits()
        limits.headBytesMax = 512
        limits.bodyBytesMax = 512
        try await withServer(limits: limits) { path, _ in
            let request = "GET /v1/status HTTP/1.1\r\nx: " + String(repeating: "x", count: 2_000)
            let text = try await answer(to: request, at: path)
            #expect(text.isEmpty)
        }
    }

    @Test func clientThatSendsNothingIsClosed() async throws {
        var limits = ControlLimits()
        limits.patience = .milliseconds(20)
        try await withServer(limits: limits) { path, _ in
            let nothing = try await answer(to: "", at: path)
            #expect(nothing.isEmpty)
            let request = "POST /v1/pause HTTP/1.1\r\ncontent-length: 9\r\n\r\n{"
            let text = try await answer(to: request, at: path)
            #expect(text.isEmpty)
        }
    }

    @Test func furtherConnectionsAreClosed() async throws {
        let service = FakeService()
        var limits = ControlLimits()
        limits.connectionsMax = 1
        try await withServer(service, limits: limits) { path, _ in
            async let unproven = ControlClient(path: path).flush()
            try await service.asked.wait { $0.contains("flush") ? () : nil }
            await #expect(throws: ControlFailure.self) { try await ControlClient(path: path).status() }
            service.unproven.update { $0 = 0 }
            #expect(try await unproven == 0)
            // The place is free as soon as the server has noticed that the connection is closed.
            try await withDeadline(.seconds(60), "a place for the next connection") {
                while await Self.isTurnedAway(at: path) { try Task.checkCancellation() }
            }
        }
    }

    private static func isTurnedAway(at path: String) async -> Bool {
        do throws(ControlFailure) {
            _ = try await ControlClient(path: path).status()
            return false
        } catch {
            return true
        }
    }
}
