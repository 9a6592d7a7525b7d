import TransferCommon
import TransferCore
import WireProtocol

// Turns the reports of an upload into events for the user.

extension AgentReport {
    /// Whether to report the event to the user. If an upload reports several times that it waits for the same reason,
    /// only the first report counts, until the upload makes progress or waits for another reason.
    func isNews(after wait: inout String?) -> Bool {
        switch self {
        case .waiting(let code, let message):
            let text = "\(code.rawValue) \(message)"
            defer { wait = text }
            return wait != text
        case .partProgress(_, _, _, isStored: true), .lost:
            wait = nil
            return true
        case .partProgress, .opened, .comparing, .adopted, .waitingForEarlierVersion, .waitingForAnswer,
            .receiptRefused:
            return true
        }
    }

    func events(key: String, _ progress: UploadProgress?) -> [UploadEvent] {
        var events: [UploadEvent] = []
        switch self {
        case .partProgress(let number, let sent, let size, let isStored):
            events.append(.part(key: key, number: number, sent: sent, size: size, isStored: isStored))
        case .opened(_, let resumedBytes):
            if resumedBytes > 0 {
                events.append(.note(key: key, "continues; \(ReadableQuantity.size(resumedBytes)) are stored already"))
            }
        case .comparing:
            events.append(.note(key: key, "the key holds an object already: comparing"))
        case .adopted:
            events.append(.note(key: key, "continues an unfinished upload that the gateway has found"))
        case .lost:
            events.append(.note(key: key, "the parts that were sent can no longer be used: starting again"))
        case .waitingForEarlierVersion(let rest):
            let text =
                "waiting \(ReadableQuantity.time(rest.inSeconds)): an earlier version may still appear in the store"
            events.append(.note(key: key, text))
        case .waitingForAnswer:
            events.append(.note(key: key, "waiting for the gateway, which is connected and still at work"))
        case .waiting(let code, let message):
            events.append(.note(key: key, "waiting: \(message.isEmpty ? code.words : message)"))
        case .receiptRefused(let refusal):
            events.append(.note(key: key, refusal.sentence))
        }
        if let progress { events.append(.file(key: key, progress)) }
        return events
    }
}

extension ReceiptRefusal {
    fileprivate var sentence: String {
        switch self {
        case .otherKey:
            "the gateway signs receipts with another key than the one that it proved, so none are kept; tell its "
                + "operator"
        case .badSignature:
            "the gateway's receipt does not say what this agent knows of the file, so it is not kept; tell its "
                + "operator"
        }
    }
}
