import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct AgentConnectionTests {
    private static let now = Instant(nanoseconds: 1_000_000_000)

    private static let events: [@Sendable (inout AgentConnection) -> Void] = [
        { _ = $0.connectIfDue(within: .seconds(20), now: now) },
        { _ = $0.established(by: nil, within: .seconds(20), now: now) },
        { _ = $0.welcomed(AgentDriver.welcome(500), now: now) }, { _ = $0.toldToLeave(until: now + .seconds(5)) },
        { $0.heard(now: now + .seconds(1)) }, { _ = $0.tick(now: now + .seconds(30)) },
    ]

    private static func name(of connection: AgentConnection) -> String {
        switch connection.phase {
        case .away: "away"
        case .connecting: "connecting"
        case .greeting: "greeting"
        case .open: "open"
        case .leaving: "leaving"
        }
    }

    @Test func theTableIsTrue() throws {
        var connections = [AgentConnection(awayUntil: Self.now)]
        var seen = Set(connections)
        var changes: Set<TransitionTable.Row> = []
        while let connection = connections.popLast() {
            for event in Self.events {
                var next = connection
                event(&next)
                let (from, to) = (Self.name(of: connection), Self.name(of: next))
                if from != to { changes.insert(TransitionTable.Row(from: from, to: to)) }
                if seen.insert(next).inserted { connections.append(next) }
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Agent/Connections/AgentConnection.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func aQuietGatewayIsAskedAndThenGivenUp() {
        var connection = AgentConnection(awayUntil: Self.now, failures: 3)
        #expect(connection.tick(now: Self.now) == .wait)
        #expect(connection.connectIfDue(within: .seconds(20), now: Self.now) == true)
        #expect(connection.nextDeadline(now: Self.now) == Self.now + .seconds(20))
        #expect(connection.established(by: nil, within: .seconds(20), now: Self.now) == true)
        #expect(connection.welcomed(AgentDriver.welcome(500), now: Self.now) == true)
        #expect(connection.failures == 0 && connection.isOpen)
        // The gateway of the tests closes a connection after a minute of silence. The agent therefore sends PING after
        // 20 seconds, and closes the connection if it hears nothing for a minute.
        #expect(connection.nextDeadline(now: Self.now) == Self.now + .seconds(20))
        #expect(connection.tick(now: Self.now + .seconds(20)) == .sendPing)
        #expect(connection.tick(now: Self.now + .seconds(30)) == .wait)
        #expect(connection.tick(now: Self.now + .seconds(60)) == .close)
    }

    @Test func aConnectionThatIsToEndIsClosedAtItsDeadline() {
        var connection = AgentConnection(awayUntil: Self.now)
        for event in Self.events.prefix(4) { event(&connection) }
        #expect(connection.nextDeadline(now: Self.now) == Self.now + .seconds(5))
        #expect(connection.tick(now: Self.now + .seconds(5)) == .close)
    }

    /// The queue identifies a chunk only by its part. If a later chunk of a part is reported as sent, the queue removes
    /// the first chunk of that part.
    @Test func theFirstQueuedChunkOfAPartIsTaken() throws {
        let part = try #require(PartNumber(1))
        let chunks = [0, 100].map {
            Chunk(
                connection: ConnectionID(1), slot: Slot(1), upload: AgentDriver.upload, part: part, offset: $0,
                plainBytes: 100)
        }
        var queue = ChunkQueue()
        queue.append(chunks[0], of: OfferID(1))
        queue.append(chunks[1], of: OfferID(2))
        #expect(queue.bytes == 200 && queue.contains(chunks[0].uploadPart))
        #expect(queue.remove(chunks[1])?.offer == OfferID(1))
        #expect(queue.remove(chunks[0])?.offer == OfferID(2))
        #expect(queue.remove(chunks[0]) == nil && queue.bytes == 0)
    }
}
