import Synchronization
import TransferCommon
import TransferCore

/// Lets another task stop a run. The run completes the parts that it can complete within the grace period; the journal
/// keeps all unfinished uploads for a later run.
package final class UploadControl: Sendable {
    private struct State {
        /// Shell of the run; `nil` before the run has started it and after the run has ended.
        var shell: AgentShell?
        var isStopped = false
        var isStoppedAtOnce = false
        var ending: UploadFailure?
        /// Why the last attempt to connect failed, if the run has ended without a gateway.
        var reasonOfAbsence: String?
        var hasJournalFailed = false
        var whenEnded: (@Sendable () -> Void)?
    }

    private let state = Mutex(State())

    package init() {}

    /// Whether the run must not begin new work: a task has stopped it, or it has ended before all work was done.
    var isStopped: Bool { state.withLock { $0.isStopped || $0.ending != nil } }

    /// Why the run has ended before all work was done; `nil` if it has not, or if a task has stopped it.
    var ending: UploadFailure? { state.withLock { $0.ending } }

    /// Why the last attempt to connect failed; `nil` unless the run has ended without a gateway.
    var reasonOfAbsence: String? { state.withLock { $0.reasonOfAbsence } }

    /// Whether an access to the journal has failed, even if a task had stopped the run before.
    var hasJournalFailed: Bool { state.withLock { $0.hasJournalFailed } }

    /// Whether the run was stopped without a grace period.
    var isStoppedAtOnce: Bool { state.withLock { $0.isStoppedAtOnce } }

    /// Lets `stop` reach the shell of the run. The run calls this as soon as its shell can be stopped.
    func attach(_ shell: AgentShell) async {
        let (isStopped, isStoppedAtOnce) = state.withLock { state in
            state.shell = shell
            return (state.isStopped, state.isStoppedAtOnce)
        }
        if isStopped { await shell.stop() }
        if isStoppedAtOnce { await shell.stop() }
    }

    /// Ends the run for this reason, because all further work would fail for the same reason. Only the first reason
    /// counts.
    ///
    /// - Parameter reasonOfAbsence: why the last attempt to connect failed, if no gateway is connected.
    func end(_ failure: UploadFailure, reasonOfAbsence: String? = nil) {
        let whenEnded = state.withLock { state in
            if state.ending == nil { state.reasonOfAbsence = reasonOfAbsence }
            if failure.kind == .journalFull { state.hasJournalFailed = true }
            if !state.isStopped, state.ending == nil { state.ending = failure }
            return state.whenEnded
        }
        whenEnded?()
    }

    /// Has `body` called when the run is stopped or ends early; at once if that has happened already.
    func whenEnded(_ body: @escaping @Sendable () -> Void) {
        let isOver = state.withLock { state in
            state.whenEnded = body
            return state.isStopped || state.ending != nil
        }
        if isOver { body() }
    }

    /// Disconnects the shell. The run calls this at its end.
    func detach() {
        state.withLock { $0.shell = nil }
    }

    /// Stops the run, which ends within the grace period. Safe to repeat.
    package func stop() async {
        let (shell, whenEnded): (AgentShell?, (@Sendable () -> Void)?) = state.withLock { state in
            guard !state.isStopped else { return (nil, nil) }
            state.isStopped = true
            return (state.shell, state.whenEnded)
        }
        whenEnded?()
        await shell?.stop()
    }

    /// Changes the highest rate of the run, in bytes per second; `nil` for no limit. Without effect before the run has
    /// begun and after its end.
    package func limitRate(to bytesPerSecond: UInt64?) async {
        await state.withLock { $0.shell }?.limitRate(to: bytesPerSecond)
    }

    /// Stops the run without a grace period: calls the shell's `stop` twice, because the second call ends the run
    /// immediately.
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
