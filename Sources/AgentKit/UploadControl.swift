import Synchronization

/// Stops a run from outside: what can be finished within the grace is finished, the rest stops where it is and is kept.
final class UploadControl: Sendable {
    private enum Work {
        case notBegun
        case running(AgentCore)
        case ended
    }

    private struct State {
        var work = Work.notBegun
        var isStopped = false
        var isStoppedAtOnce = false
        var stoppedAt: ContinuousClock.Instant?
    }

    private let state = Mutex(State())

    /// Whether nothing new is to be begun.
    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Whether the stop was longer ago than that.
    func hasBeenStopped(for duration: Duration) -> Bool {
        state.withLock { state in state.stoppedAt.map { ContinuousClock.now - $0 >= duration } ?? false }
    }

    /// Called by the run when it has something to stop.
    func attach(_ core: AgentCore) async {
        let (isStopped, isStoppedAtOnce) = state.withLock { state in
            state.work = .running(core)
            return (state.isStopped, state.isStoppedAtOnce)
        }
        if isStopped { await core.stop() }
        if isStoppedAtOnce { await core.stop() }
    }

    /// Called by the run when there is nothing left to stop.
    func detach() {
        state.withLock { $0.work = .ended }
    }

    /// Stops the run, once; it ends within the grace.
    func stop() async {
        let core: AgentCore? = state.withLock { state in
            guard !state.isStopped else { return nil }
            state.isStopped = true
            state.stoppedAt = .now
            return if case .running(let core) = state.work { core } else { nil }
        }
        await core?.stop()
    }

    /// Stops the run without a grace.
    func stopAtOnce() async {
        await stop()
        let core: AgentCore? = state.withLock { state in
            guard !state.isStoppedAtOnce else { return nil }
            state.isStoppedAtOnce = true
            return if case .running(let core) = state.work { core } else { nil }
        }
        await core?.stop()
    }
}
