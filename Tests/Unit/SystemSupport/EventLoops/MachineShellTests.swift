import NIOCore
import NIOEmbedded
import NIOPosix
import SystemSupport
import TestSupport
import Testing
import TransferCommon

/// A shell performs the actions of its machine in order, writes the frames of each round together, and keeps its timer
/// set.
@Suite(.timeLimit(.minutes(5))) struct MachineShellTests {
    private enum Action: Equatable {
        case send(Int, String)
        /// Makes the shell receive an event while it performs this action.
        case reenter(then: [Action])
        case close(Int)
    }

    private actor Shell: MachineShell {
        nonisolated let eventLoop: any EventLoop
        nonisolated var unownedExecutor: UnownedSerialExecutor { eventLoop.executor.asUnownedSerialExecutor() }

        var state = ShellState<Int>()
        var decided: [Action] = []
        var performed: [Action] = []
        var bytesWritten: UInt64 = 0
        var rounds = 0
        var nextDeadline: Instant?
        let ticks = Watched(0)

        init(_ eventLoop: any EventLoop) {
            self.eventLoop = eventLoop
        }

        func takeActions() -> [Action] {
            defer { decided = [] }
            return decided
        }

        func perform(_ action: Action) {
            performed.append(action)
            switch action {
            case .send(let id, let text):
                // `writeString` does not throw.
                try? state.frames.append(to: id) { $0.writeString(text) }
            case .reenter(let then):
                decided += then
                perform()
            case .close(let id):
                closeConnection(id)
            }
        }

        func framesWritten(bytes: UInt64) { bytesWritten += bytes }
        func actionsPerformed() { rounds += 1 }

        func tick() {
            nextDeadline = nil
            ticks.update { $0 += 1 }
        }

        func receive(_ actions: [Action]) {
            decided += actions
            perform()
        }

        func open(_ id: Int, _ channel: any Channel) { state.frames.opened(id, channel) }

        func setDeadline(in delay: Duration) {
            nextDeadline = now + delay
            perform()
        }

        var log: (performed: [Action], bytesWritten: UInt64, rounds: Int) { (performed, bytesWritten, rounds) }
    }

    @Test func actionsOfEventsInsideAnActionComeAfterTheOthers() async throws {
        try await withEventLoop { eventLoop in
            let shell = Shell(eventLoop)
            let inner = Action.send(1, "c")
            await shell.receive([.reenter(then: [inner]), .send(1, "b")])
            let log = await shell.log
            #expect(log.performed == [.reenter(then: [inner]), .send(1, "b"), inner])
            #expect(log.rounds == 1)
        }
    }

    @Test func theTimerTicksAtTheDeadline() async throws {
        try await withEventLoop { eventLoop in
            let shell = Shell(eventLoop)
            await shell.setDeadline(in: .milliseconds(5))
            try await shell.ticks.wait { $0 == 1 ? () : nil }
            await shell.setDeadline(in: .milliseconds(5))
            try await shell.ticks.wait { $0 == 2 ? () : nil }
            await shell.stopTimer()
        }
    }

    /// The machine has forgotten a connection that it closes, so the shell must end it even if the peer never reads the
    /// last frames.
    @Test func peerThatReadsNothingIsClosed() async throws {
        try await withEventLoop { eventLoop in
            let accepted = Watched<(any Channel)?>(nil)
            let listener = try await ServerBootstrap(group: eventLoop)
                .childChannelInitializer { channel in
                    accepted.update { $0 = channel }
                    return channel.eventLoop.makeSucceededVoidFuture()
                }
                .bind(host: "127.0.0.1", port: 0).get()
            let peer = try await ClientBootstrap(group: eventLoop).channelOption(.autoRead, value: false)
                .connect(host: "127.0.0.1", port: listener.localAddress?.port ?? 0).get()
            let channel = try await accepted.wait { $0 }
            let shell = Shell(eventLoop)
            await shell.open(1, channel)
            await shell.receive([.send(1, String(repeating: "a", count: 64 << 20)), .close(1)])
            try await withDeadline(.seconds(120), "the connection to be closed") {
                try await channel.closeFuture.get()
            }
            // try?: the peer may have noticed the end already.
            try? await peer.close()
            try await listener.close()
        }
    }

    @Test func framesOfAConnectionThatIsNotOpenAreDropped() async throws {
        try await withEventLoop { eventLoop in
            let shell = Shell(eventLoop)
            await shell.receive([.send(1, "a"), .close(1)])
            let log = await shell.log
            #expect(log.bytesWritten == 0 && log.performed.count == 2)
        }
    }
}

/// Frames wait until the shell takes them. The frames of one connection leave in one write.
@Suite struct OutboundFramesTests {
    private struct Broken: Error {}

    private func text(_ write: OutboundFrames<Int>.Write?) -> String? { write.map { String(buffer: $0.bytes) } }

    @Test func framesOfOneRoundAreOneWrite() throws {
        var frames = OutboundFrames<Int>()
        let channel = EmbeddedChannel()
        frames.opened(1, channel)
        for letter in ["a", "b", "c"] { try frames.append(to: 1) { $0.writeString(letter) } }
        let writes = frames.takeWrites()
        #expect(writes.map { String(buffer: $0.bytes) } == ["abc"])
        #expect(writes.first?.channel === channel)
        #expect(frames.takeWrites().isEmpty)
    }

    @Test func writtenBytesAreReportedOnce() throws {
        var frames = OutboundFrames<Int>()
        frames.opened(1, EmbeddedChannel())
        frames.reportWritten(5, to: 1)
        try frames.append(to: 1) { $0.writeString("a") }
        frames.reportWritten(7, to: 1)
        frames.reportWritten(8, to: 1)
        #expect(frames.takeWrites().map(\.report) == [15])
        try frames.append(to: 1) { $0.writeString("b") }
        #expect(frames.takeWrites().map(\.report) == [nil])
    }

    @Test func aFrameThatCannotBeEncodedLeavesNothingBehind() throws {
        var frames = OutboundFrames<Int>()
        frames.opened(1, EmbeddedChannel())
        try frames.append(to: 1) { $0.writeString("a") }
        #expect(throws: Broken.self) {
            try frames.append(to: 1) {
                $0.writeString("half of b")
                throw Broken()
            }
        }
        try frames.append(to: 1) { $0.writeString("c") }
        #expect(frames.takeWrites().map { String(buffer: $0.bytes) } == ["ac"])
    }

    @Test func theLastFramesAreReturnedOnce() throws {
        var frames = OutboundFrames<Int>()
        frames.opened(1, EmbeddedChannel())
        try frames.append(to: 1) { $0.writeString("goodbye") }
        #expect(text(frames.takeLast(of: 1)) == "goodbye")
        #expect(frames.takeLast(of: 1) == nil && frames.channel(of: 1) == nil && frames.openChannels.isEmpty)
        // The shell still knows the channel, until the connection has ended.
        #expect(frames.closingChannels.count == 1)
        frames.lost(1)
        #expect(frames.closingChannels.isEmpty)
        try frames.append(to: 1) { $0.writeString("more") }
        #expect(frames.takeWrites().isEmpty)
    }

    @Test func lostConnectionsKeepNoFrames() throws {
        var frames = OutboundFrames<Int>()
        frames.opened(1, EmbeddedChannel())
        try frames.append(to: 1) { $0.writeString("a") }
        frames.lost(1)
        frames.opened(1, EmbeddedChannel())
        #expect(frames.takeWrites().isEmpty)
        #expect(text(frames.takeLast(of: 1)) == "")
    }
}
