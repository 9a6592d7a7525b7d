package import FoundationEssentials
import TransferCommon
package import TransferCore
import WireProtocol

// Turns the reports of an upload into events for the user.

/// Which reports of waits the user has not read yet. If an upload reports several times that it waits for the same
/// reason, only the first report counts, until the upload makes progress or waits for another reason. Reports of many
/// uploads with the same reason count once a minute.
package struct WaitNews {
    private static let interval = Duration.seconds(60)

    private var waits: [UploadID: String] = [:]
    private var told: [String: ContinuousClock.Instant] = [:]

    package init() {}

    /// Whether to report the event to the user.
    package mutating func isNews(
        _ report: AgentReport, of id: UploadID, now: ContinuousClock.Instant = .now
    ) -> Bool {
        switch report {
        case .waiting(let code, let message):
            let text = "\(code.rawValue) \(message)"
            guard waits.updateValue(text, forKey: id) != text else { return false }
            if let last = told[text], now - last < Self.interval { return false }
            told = told.filter { now - $0.value < Self.interval }
            told[text] = now
            return true
        case .partProgress(_, _, _, isStored: true), .lost:
            waits[id] = nil
            return true
        case .partProgress, .opened, .comparing, .adopted, .waitingForEarlierVersion, .waitingForAnswer,
            .receiptRefused:
            return true
        }
    }

    /// Forgets an upload that has ended.
    package mutating func forget(_ id: UploadID) { waits[id] = nil }
}

extension AgentReport {
    /// - Parameter now: the time by the device's clock, for the times in messages.
    package func events(key: String, _ progress: UploadProgress?, now: Date = Date()) -> [UploadEvent] {
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
        case .lost(.tokenForeign):
            let text =
                "the name or the prefix of this device has changed since its upload began, so the upload is given up "
                + "and the file is sent anew"
            events.append(.note(key: key, text))
        case .lost(let code):
            events.append(.note(key: key, "what was sent can no longer be used (\(code.words)): sending it anew"))
        case .waitingForEarlierVersion(let rest):
            let end = ReadableQuantity.moment(after: rest, now: now)
            let text = "waits until \(end), because an older request for this key may still arrive in the store"
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
