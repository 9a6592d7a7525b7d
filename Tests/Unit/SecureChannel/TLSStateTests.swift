import RepositoryFiles
import SecureChannel
import Testing

/// The phases of a TLS connection, tested without a connection.
@Suite struct TLSStateTests {
    private typealias Phase = TLSState.Phase

    private static let phases: [Phase] = {
        let goodbyes: [TLSState.Goodbye] = [.due, .sent, .taken]
        let inputs: [TLSState.Input] = [.open, .ended]
        let outputs = [TLSState.Output.open] + goodbyes.map { .ending($0) }
        let early = [TLSState.Output.open, .ending(.due)]
        return early.map { .idle($0) } + early.map { .handshaking($0) }
            + inputs.flatMap { input in outputs.map { .open(input, $0) } }
            + inputs.flatMap { input in goodbyes.map { .closing(input, $0) } }
            + [.failed, .draining, .drained, .closed]
    }()

    /// Every event except `end`. The event `end` leads from every phase to `closed` and is tested separately.
    private static let events: [@Sendable (inout TLSState) -> Void] = [
        { _ = $0.channelBecameActive() }, { $0.handshakeCompleted() }, { _ = $0.closeOutput() }, { _ = $0.close() },
        { _ = $0.beginClosing() }, { $0.goodbyeSent() }, { $0.goodbyeTaken() }, { _ = $0.receivedGoodbye() },
        { _ = $0.fail() }, { _ = $0.channelBecameInactive() }, { _ = $0.finishDraining() },
    ]

    private static func name(of phase: Phase) -> String {
        switch phase {
        case .idle: "idle"
        case .handshaking: "handshaking"
        case .open: "open"
        case .closing: "closing"
        case .failed: "failed"
        case .draining: "draining"
        case .drained: "drained"
        case .closed: "closed"
        }
    }

    @Test func machineMatchesItsTable() throws {
        var changes: Set<TransitionTable.Row> = [TransitionTable.Row(from: "any", to: "closed")]
        for phase in Self.phases {
            for event in Self.events {
                var state = TLSState(phase)
                event(&state)
                guard state.phase != phase else { continue }
                changes.insert(TransitionTable.Row(from: Self.name(of: phase), to: Self.name(of: state.phase)))
            }
        }
        let rows = try TransitionTable.rows(of: "Sources/SecureChannel/Handler/TLSState.swift")
        #expect(rows.count == Set(rows).count)
        #expect(Set(rows) == changes)
    }

    @Test func endingLeadsToClosedFromEveryPhase() {
        for phase in Self.phases {
            var state = TLSState(phase)
            state.end()
            #expect(state.phase == .closed)
        }
    }

    @Test func theHandshakeBeginsOnce() {
        var state = TLSState()
        #expect(state.channelBecameActive() == true)
        #expect(state.channelBecameActive() == false)
        #expect(state.writing == .waits && state.reading == .stopped && !state.maySend)
        state.handshakeCompleted()
        #expect(state.phase == .open(.open, .open))
        #expect(state.writing == .encrypted && state.reading == .delivered && state.maySend)
    }

    @Test func firstToCloseWaitsForBothAlerts() {
        var state = TLSState(.open(.open, .open))
        #expect(state.close() == .sayGoodbye)
        #expect(state.isGoodbyeDue && state.reading == .dropped && state.writing == .closed)
        state.goodbyeSent()
        #expect(!state.isGoodbyeDue)
        #expect(state.receivedGoodbye() == .nothing)
        #expect(!state.isDone)
        state.goodbyeTaken()
        #expect(state.isDone)
    }

    @Test func closeNotifyIsAnswered() {
        var state = TLSState(.open(.open, .open))
        #expect(state.receivedGoodbye() == .inputEnded)
        #expect(state.beginClosing() == true)
        #expect(state.beginClosing() == false)
        state.goodbyeSent()
        state.goodbyeTaken()
        #expect(state.isDone)
    }

    @Test func oneDirectionEndsBeforeTheOther() {
        var state = TLSState(.handshaking(.open))
        #expect(state.closeOutput() == .sayGoodbye)
        #expect(state.closeOutput() == .refuse)
        #expect(state.writing == .outputClosed && !state.isGoodbyeDue)
        state.handshakeCompleted()
        #expect(state.isGoodbyeDue && state.maySend)
        state.goodbyeSent()
        #expect(state.reading == .delivered && !state.haveBothEnded)
        #expect(state.receivedGoodbye() == .inputEnded)
        #expect(state.haveBothEnded && state.reading == .stopped)
    }

    @Test func closeNotifyInTheRestIsNoTruncation() {
        var state = TLSState(.open(.open, .open))
        #expect(state.channelBecameInactive() == .deliverRest)
        #expect(state.reading == .delivered && !state.maySend)
        #expect(state.receivedGoodbye() == .nothing)
        #expect(state.finishDraining() == false)

        state = TLSState(.open(.open, .open))
        #expect(state.channelBecameInactive() == .deliverRest)
        #expect(state.finishDraining() == true)
        #expect(state.close() == .wait)
    }

    @Test func aFailureIsReportedOnce() {
        for phase in Self.phases {
            var state = TLSState(phase)
            let first = state.fail()
            switch phase {
            case .idle, .handshaking, .open: #expect(first == .tellBothSides)
            case .draining: #expect(first == .tellHandlers)
            case .closing: #expect(first == .closeChannel)
            case .failed, .drained, .closed: #expect(first == .nothing)
            }
            #expect(state.fail() == .nothing)
        }
    }
}
