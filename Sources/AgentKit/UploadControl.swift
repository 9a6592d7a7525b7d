import Synchronization

/// Stops a run from outside: what is under way stops where it is, and is kept.
final class UploadControl: Sendable {
    private enum State {
        case waiting
        case running(AgentCore)
        case stopped
    }

    private let state = Mutex(State.waiting)

    /// Called by the run when it has something to stop.
    func attach(_ core: AgentCore) async {
        let isStopped = state.withLock { state in
            if case .stopped = state { return true }
            state = .running(core)
            return false
        }
        if isStopped { await core.stop() }
    }

    /// Called by the run when there is nothing left to stop.
    func detach() {
        state.withLock { $0 = .stopped }
    }

    func stop() async {
        let core: AgentCore? = state.withLock { state in
            defer { state = .stopped }
            if case .running(let core) = state { return core }
            return nil
        }
        await core?.stop()
    }
}
