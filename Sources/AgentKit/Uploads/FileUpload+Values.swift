import TransferCommon
import TransferCore
import WireProtocol

// What goes into a `FileUpload`, and what comes out of it.

extension FileUpload {
    /// What may be chosen; the defaults are the command line's.
    public struct Options: Sendable {
        /// Where the gateway listens; `nil` for what the home was made with.
        public var gateway: (host: String, port: Int)?
        /// The size of parts in bytes; `nil` for the gateway's own. Kept to or refused, never changed.
        public var partBytes: UInt64?
        /// Parts under way at once.
        public var concurrency = 4
        /// Connections at once.
        public var connections = 1
        /// Network interfaces that the connections go out by, in turn, one for each at least; empty for as the system's
        /// routes have it.
        public var interfaces: [String] = []
        /// The most to send, over all connections; `nil` for no limit.
        public var bytesPerSecond: UInt64?
        public var compression = Compression.auto
        public var ifExists = ExistingObject.verify
        /// The object's content type, for example `video/mp4`; empty for none.
        public var contentType = ""
        /// What the store keeps beside the object, by names of `a-z`, `0-9` and `-`; at most 64 pairs and 1,792 bytes.
        public var metadata: [String: String] = [:]
        /// Ask for the gateway's signed receipt; an upload that was begun with it keeps asking. Receipts are kept in
        /// the home, where `sluice-agent receipts` finds them.
        public var wantsReceipt = false
        /// How long to go on without progress before it fails with everything kept.
        public var retryFor = Duration.seconds(300)

        public init() {}

        func sessionMetadata() throws(UploadFailure) -> SessionMetadata {
            let pairs = metadata.map { MetadataPair(name: $0.key, value: $0.value) }
            return try SessionMetadata(chosen: pairs, contentType: contentType)
        }
    }

    /// Whether chunks are compressed on their way.
    public enum Compression: Sendable {
        /// While it pays.
        case auto
        case always
        case never

        var choice: CompressionChoice {
            switch self {
            case .auto: .auto
            case .always: .always
            case .never: .never
            }
        }
    }

    /// What to do where the key holds an object.
    public enum ExistingObject: Sendable {
        /// The same content is success, other content a failure.
        case verify
        /// The same content is success, other content is replaced.
        case replace
        /// A failure in any case.
        case fail

        var policy: ExistingKeyPolicy {
            switch self {
            case .verify: .verify
            case .replace: .replace
            case .fail: .fail
            }
        }
    }

    /// What happens while a file is uploaded.
    public enum Event: Sendable {
        case part(Part)
        case file(Progress)
        /// Something that a person may want to know; it goes on by itself.
        case note(String)
        /// Nothing is sent until ``FileUpload/resume()``.
        case paused
    }

    /// A part that has moved on.
    public struct Part: Equatable, Sendable {
        /// From 1.
        public let number: Int
        /// In bytes.
        public let size: UInt64
        /// Of its bytes, those that are on their way or there. Begins anew where a part has to be sent again.
        public let sentBytes: UInt64
        /// The store has confirmed it.
        public let isStored: Bool
    }

    /// How far the file is.
    public struct Progress: Equatable, Sendable {
        /// In bytes.
        public let size: UInt64
        /// Known to be in the store. After an interruption it begins with what is there.
        public let storedBytes: UInt64
        /// Put on the wire in this run, resends included.
        public let bytesSent: UInt64
        /// Found stored when this run began.
        public let bytesResumed: UInt64

        init(_ figures: UploadProgress) {
            size = figures.size
            storedBytes = figures.storedBytes
            bytesSent = figures.bytesSent
            bytesResumed = figures.bytesResumed
        }
    }

    /// The proof of a stored file.
    public struct Receipt: Equatable, Sendable {
        /// In bytes.
        public let size: UInt64
        public let partBytes: UInt64
        /// SHA-256 over the digests of the parts, in hexadecimal; `nil` where the object was found there by its ETag.
        public let rootDigest: String?
        public let etag: String
        /// The object's SHA-256 as S3 writes it, in base64, with a hyphen and the number of parts where there are
        /// several; `nil` where other evidence proved the object.
        public let checksumSHA256: String?
        /// The object's version, where the bucket keeps versions; else empty.
        public let version: String
        /// The object was there already, and nothing was sent.
        public let wasThere: Bool
        /// The gateway has signed a receipt, which was verified and is kept in the home.
        public let isSigned: Bool

        init(_ receipt: UploadReceipt, wasThere: Bool) {
            size = receipt.size
            partBytes = receipt.partBytes
            rootDigest = receipt.root?.description
            etag = receipt.etag
            checksumSHA256 = receipt.checksumSHA256
            version = receipt.version
            self.wasThere = wasThere
            if case .kept = receipt.signed { isSigned = true } else { isSigned = false }
        }
    }

    /// Why an upload has failed.
    public struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
        /// What can be told apart; more may be added.
        public struct Kind: Hashable, Sendable {
            /// As `--json` has it.
            public let name: String

            /// Another process, or another upload of this one, is at work in the home.
            public static let busy = Kind(name: "busy")
            /// The file changed while it was being read.
            public static let changed = Kind(name: UploadFailure.Kind.changed.rawValue)
            /// Another process is writing the file; upload it when that is done.
            public static let stillWritten = Kind(name: UploadFailure.Kind.stillWritten.rawValue)
            /// The file is missing.
            public static let missing = Kind(name: UploadFailure.Kind.missing.rawValue)
            /// The key holds other content.
            public static let keyTaken = Kind(name: UploadFailure.Kind.keyTaken.rawValue)
            /// The gateway could not be reached for as long as ``Options/retryFor`` says.
            public static let unreachable = Kind(name: UploadFailure.Kind.unreachable.rawValue)
            /// ``FileUpload/cancel()`` was called.
            public static let cancelled = Kind(name: "cancelled")
        }

        public let kind: Kind
        /// A sentence for a person.
        public let message: String

        init(kind: Kind, message: String) {
            self.kind = kind
            self.message = message
        }

        init(_ error: any Error) {
            switch error {
            case let error as Failure:
                self = error
            case let error as UploadFailure:
                self.init(kind: Kind(name: error.kind.rawValue), message: error.message)
            case let error as AgentHomeError:
                self.init(kind: error.kind == .busy ? .busy : Kind(name: "home"), message: error.description)
            default:
                self.init(kind: Kind(name: "other"), message: "\(error)")
            }
        }

        public var description: String { message }
    }
}
