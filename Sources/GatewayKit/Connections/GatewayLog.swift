import Logging
import TransferCommon
import TransferCore
import WireProtocol

/// Writes the notes of the gateway's state machine to the log.
struct GatewayLog {
    private let logger: Logger
    /// Limits the log lines that peers can cause: a burst of 200, then 10 a second.
    private var notices = Allowance(atOnce: 200, perSecond: 10)
    private var unwrittenNotices = 0

    init(_ logger: Logger) {
        self.logger = logger
    }

    /// Writes one note to the log.
    mutating func write(_ note: GatewayNote, now: Instant) {
        switch note {
        case .welcomed(let id, let device, _):
            logger.info("Welcomed", metadata: ["connection": "\(id.value)", "device": "\(device)"])
        case .fenced(let id, let device):
            notice("Fenced an older run", ["connection": "\(id.value)", "device": "\(device)"], now)
        case .refused(let id, let code):
            notice("Refused", ["connection": "\(id.value)", "code": "\(code.name)"], now)
        case .opened(let session, let device, _):
            logger.info("Opened", metadata: ["session": "\(session)", "device": "\(device)"])
        case .resumed(let session, let device, _):
            logger.info("Resumed", metadata: ["session": "\(session)", "device": "\(device)"])
        case .completed(let session, _, let bytes):
            logger.info("Completed", metadata: ["session": "\(session)", "bytes": "\(bytes)"])
        case .aborted(let session, _):
            logger.info("Aborted", metadata: ["session": "\(session)"])
        case .lost(let session, _):
            logger.warning("The store lost a session", metadata: ["session": "\(session)"])
        case .failed(let session, _, let code):
            notice("A session failed", ["session": "\(session)", "code": "\(code.name)"], now)
        case .partEvicted(let session, let part):
            logger.info("Evicted a part", metadata: ["session": "\(session)", "part": "\(part.value)"])
        case .unsigned(let device):
            notice("Could not sign a receipt", ["device": "\(device)"], now)
        case .storeUnavailable(let cause):
            logger.warning("The store takes no data; agents wait", metadata: ["cause": "\(cause)"])
        case .storeRecovered:
            logger.notice("The store takes data again")
        }
    }

    private mutating func notice(_ message: Logger.Message, _ metadata: Logger.Metadata, _ now: Instant) {
        guard notices.take(now: now) == nil else {
            unwrittenNotices += 1
            return
        }
        var metadata = metadata
        if unwrittenNotices > 0 { metadata["unwritten.before"] = "\(unwrittenNotices)" }
        unwrittenNotices = 0
        logger.notice(message, metadata: metadata)
    }
}
