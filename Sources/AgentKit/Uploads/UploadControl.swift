import Synchronization
import TransferCommon

/// Stops a run from outside: what can be finished within the grace is finished, the rest stops where it is and is kept.
package final class UploadControl: Sendable {
    private struct State {
        /// The run's, from when it has something to stop until it has nothing left.
        var shell: AgentShell?
        var isStopped = false
        var isStoppedAtOnce = false
    }

    private let state = Mutex(State())

    package init() {}

    /// Whether nothing new is to be begun.
    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Whether the run was stopped without a grace.
    var isStoppedAtOnce: Bool { state.withLock { $0.isStoppedAtOnce } }

    /// Called by the run when it has something to stop.
    func attach(_ shell: AgentShell) async {
        let (isStopped, isStoppedAtOnce) = state.withLock { state in
            state.shell = shell
            return (state.isStopped, state.isStoppedAtOnce)
        }
        if isStopped { await shell.stop() }
        if isStoppedAtOnce { await shell.stop() }
    }

    /// Called by the run when there is nothing left to stop.
    func detach() {
        state.withLock { $0.shell = nil }
    }

    /// Stops the run, once; it ends within the grace.
    package func stop() async {
        let shell: AgentShell? = state.withLock { state in
            guard !state.isStopped else { return nil }
            state.isStopped = true
            return state.shell
        }
        await shell?.stop()
    }

    /// Stops the run without a grace.
    package func stopAtOnce() async {
        await stop()
        let shell: AgentShell? = state.withLock { state in
            guard !state.isStoppedAtOnce else { return nil }
            state.isStoppedAtOnce = true
            return state.shell
        }
        await shell?.stop()
    }
}
