import RepositoryFiles
import Testing
import TransferCommon
import TransferCore
import WireProtocol

@Suite struct GatewayConnectionTests {
    private static let idleLimit = Duration.seconds(60)

    private static func at(_ seconds: Int64) -> Instant { Instant(nanoseconds: 0) + .seconds(seconds) }

    private static func silent() -> GatewayConnection { GatewayConnection(now: at(0), helloLimit: .seconds(5)) }

    private static func opened() -> GatewayConnection {
        var connection = silent()
        connection.opened(
            by: GatewayDriver.device, capabilities: [], creditBytes: 0)
        return connection
    }

    private static func enrolling() -> GatewayConnection {
        var connection = silent()
        connection.enrols(until: at(5))
        return connection
    }

    private static func name(of connection: GatewayConnection) -> String {
        switch connection.phase {
        case .silent: "silent"
        case .enrolling: "enrolling"
        case .open: "open"
        }
    }

    @Test func theTableIsTrue() throws {
        var changes: Set<TransitionTable.Row> = []
        for next in [Self.opened(), Self.enrolling()] {
            changes.insert(TransitionTable.Row(from: "silent", to: Self.name(of: next)))
        }
        for connection in [Self.silent(), Self.enrolling(), Self.opened()] {
            var next = connection
            guard case .close = next.tick(idleLimit: Self.idleLimit, now: Self.at(60)) else { continue }
            changes.insert(TransitionTable.Row(from: Self.name(of: connection), to: "closed"))
        }
        let rows = try TransitionTable.rows(of: "Sources/TransferCore/Gateway/Connections/GatewayConnection.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func aPeerThatSendsNoHelloIsClosedAtItsDeadline() {
        for connection in [Self.silent(), Self.enrolling()] {
            var connection = connection
            #expect(connection.nextDeadline(idleLimit: Self.idleLimit) == Self.at(5))
            #expect(connection.tick(idleLimit: Self.idleLimit, now: Self.at(4)) == .wait)
            #expect(connection.tick(idleLimit: Self.idleLimit, now: Self.at(5)) == .close("no HELLO in time"))
        }
    }

    @Test func anOpenConnectionIsPingedAndClosed() {
        var connection = Self.opened()
        connection.heard(now: Self.at(10))
        #expect(connection.nextDeadline(idleLimit: Self.idleLimit) == Self.at(30))
        #expect(connection.tick(idleLimit: Self.idleLimit, now: Self.at(30)) == .sendPing)
        let last = connection.tick(idleLimit: Self.idleLimit, now: Self.at(70))
        #expect(last == .close("nothing was heard for the idle limit"))
        #expect(connection.nextDeadline(idleLimit: Self.idleLimit) == nil)
    }
}
