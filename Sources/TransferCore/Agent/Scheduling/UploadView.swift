import TransferCommon
import WireProtocol

/// What the agent has to know of an upload between its turns.
struct UploadView {
    let exchange: SessionExchange
    let transfer: PartTransfer

    var progress: UploadProgress {
        let size = exchange.session.fileBytes
        var progress = UploadProgress(
            size: size ?? transfer.parts.streamBytes, storedBytes: transfer.parts.stored.bytes,
            bytesSent: transfer.bytesSent, bytesResumed: transfer.bytesResumed)
        progress.isGrowing = size == nil
        progress.isResumable = exchange.session.isRecorded && !exchange.session.request.isStream
        return progress
    }

    /// The figures of an ended upload; its receipt gives the stored bytes, as a one-part file has no stored part.
    func progress(endedBy outcome: UploadOutcome) -> UploadProgress {
        var progress = progress
        if case .stored(let receipt, _) = outcome { progress.storedBytes = receipt.size }
        return progress
    }

    /// Whether an answer is awaited on a connection, a part is under way on it, or COMPLETE is about to be sent on it.
    func isWorking(on connection: ConnectionID) -> Bool {
        exchange.lifecycle.links.awaitsAnswer(on: connection) || transfer.parts.isUnderWay(on: connection)
            || isAboutToComplete && exchange.lifecycle.links.firstOpen?.connection == connection
    }

    /// Whether every part is stored. COMPLETE then waits only for the journal and for the last look at the file.
    private var isWhole: Bool { transfer.isWhole(by: exchange.session.plan) }

    private var isAboutToComplete: Bool {
        switch exchange.phase {
        case .rechecking: true
        case .transferring: isWhole
        default: false
        }
    }

    /// Since when a gateway owes an answer; `nil` if no gateway owes one, or if no gateway of the session answers PING.
    func answerDueSince(_ context: AgentContext) -> Instant? {
        guard let since = exchange.waits.answer.dueSince,
            context.connections.isHeard(exchange.lifecycle.links.connections, now: context.now)
        else { return nil }
        return since
    }

    /// The failure to report if the agent gives up now: an owed answer, or else the reason for the last wait, if any.
    func trouble(_ context: AgentContext) -> UploadFailure? {
        answerDueSince(context) == nil ? exchange.waits.trouble : .gatewayAtWork(isKept: progress.isResumable)
    }

    /// Whether the shell reads the file, which no event shows, or the upload waits for the put limit.
    func isBusy(at now: Instant) -> Bool {
        exchange.phase.isReading ?? transfer.parts.isReading || exchange.session.putLimit.isWaiting(at: now)
    }

    /// Whether a stopping agent waits for this upload: it awaits an answer that saves work later, or sends a part.
    var isWorthFinishing: Bool {
        // Nothing of a stream can be resumed, so a stream is worth finishing only once its end has been read.
        if exchange.session.request.isStream, exchange.session.fileBytes == nil { return false }
        return exchange.phase.isWorthFinishing(
            isMultipart: exchange.session.isMultipart, isSending: transfer.parts.isSending, isWhole: isWhole,
            isDropping: exchange.lifecycle.isDropping)
    }
}
