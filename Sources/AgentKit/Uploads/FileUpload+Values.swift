import TransferCommon
import TransferCore
import WireProtocol

// Input and output types of `FileUpload`.

extension FileUpload {
    /// Options of an upload; the defaults equal those of `sluice-agent push`.
    public struct Options: Sendable {
        /// Address of the gateway; `nil` for the address in the home's configuration.
        public var gateway: (host: String, port: Int)?
        /// Part size in bytes; `nil` for the gateway's default. The gateway accepts this size or refuses the upload; it
        /// never chooses another size.
        public var partBytes: UInt64?
        /// Maximum number of parts in progress at a time.
        public var concurrency = 4
        /// Number of parallel connections.
        public var connections = 1
        /// Names of network interfaces for the connections, assigned in turn. At least one connection uses each
        /// interface. Empty to follow the system's routing table.
        public var interfaces: [String] = []
        /// Maximum rate in bytes per second over all connections; `nil` for no limit.
        public var bytesPerSecond: UInt64?
        public var compression = Compression.auto
        public var ifExists = ExistingObject.verify
        /// Content type of the object, for example `video/mp4`; empty for none.
        public var contentType = ""
        /// User metadata of the object. Names consist of `a-z`, `0-9` and `-`; at most 64 pairs and 1,792 bytes.
        public var metadata: [String: String] = [:]
        /// Whether to request a signed receipt from the gateway. A resumed upload keeps the request. The home keeps the
        /// receipts, and `sluice-agent receipts` lists them.
        public var wantsReceipt = false
        /// Whether to read and compare the file even if its stamp shows that it is unchanged since it was stored.
        public var readsUnchanged = false
        /// How long to retry without progress before the upload fails. A failed upload can be resumed.
        public var retryFor = Duration.seconds(300)

        public init() {}

        func sessionMetadata() throws(UploadFailure) -> SessionMetadata {
            let pairs = metadata.map { MetadataPair(name: $0.key, value: $0.value) }
            return try SessionMetadata(chosen: pairs, contentType: contentType)
        }
    }

    /// Whether chunks are compressed on the wire.
    public enum Compression: Sendable {
        /// Compresses chunks. After a chunk that compression makes hardly smaller, sends the next chunks uncompressed
        /// and then tries again.
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

    /// What to do if the key has an object already.
    public enum ExistingObject: Sendable {
        /// Succeeds if the content is the same. Replaces an object that this device stored from the same file before
        /// the file grew. Fails otherwise.
        case verify
        /// Succeeds if the content is the same, replaces the object otherwise.
        case replace
        /// Fails, even if the content is the same.
        case fail

        var policy: ExistingKeyPolicy {
            switch self {
            case .verify: .verify
            case .replace: .replace
            case .fail: .fail
            }
        }
    }

    /// An event of an upload.
    public enum Event: Sendable {
        case part(Part)
        case file(Progress)
        /// Information for the user. The upload continues, and the user need not act.
        case note(String)
        /// The upload is paused until ``FileUpload/resume()``.
        case paused
    }

    /// Progress of one part.
    public struct Part: Equatable, Sendable {
        /// Number of the part, from 1.
        public let number: Int
        /// Size of the part in bytes.
        public let size: UInt64
        /// Bytes of the part that were sent or are stored already. Starts again at 0 if the part is sent again.
        public let sentBytes: UInt64
        /// Whether the store has confirmed the part.
        public let isStored: Bool
    }

    /// Progress of the file.
    public struct Progress: Equatable, Sendable {
        /// Size of the file in bytes.
        public let size: UInt64
        /// Bytes confirmed by the store, including those of earlier runs.
        public let storedBytes: UInt64
        /// Bytes sent in this run, including those sent again.
        public let bytesSent: UInt64
        /// Bytes that were stored already when this run began.
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
        /// Size of the object in bytes.
        public let size: UInt64
        public let partBytes: UInt64
        /// SHA-256 over the SHA-256 digests of the parts, in hexadecimal; `nil` if an existing object was matched by
        /// its ETag.
        public let rootDigest: String?
        public let etag: String
        /// The object's SHA-256 as S3 writes it: base64, followed by a hyphen and the number of parts if there are
        /// several. `nil` if other evidence proved the object.
        public let checksumSHA256: String?
        /// Version of the object in a versioned bucket; otherwise empty.
        public let version: String
        /// Whether another upload had stored the object with this content before. Usually no content was sent then; a
        /// small file may be on its way before the gateway says that the object exists.
        public let wasThere: Bool
        /// Whether the gateway signed a receipt. If it did, the agent has verified the receipt and keeps it in the
        /// home.
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

    /// Why an upload failed.
    public struct Failure: Error, Equatable, Sendable, CustomStringConvertible {
        /// Kind of a failure. Later versions may add kinds.
        public struct Kind: Hashable, Sendable {
            /// Name of the kind, as in the output of `--json`.
            public let name: String

            /// Another process, or another upload of this process, holds the home's lock.
            public static let busy = Kind(name: "busy")
            /// The file changed while the agent read it.
            public static let changed = Kind(name: UploadFailure.Kind.changed.rawValue)
            /// Another process is writing the file. Start the upload again when that process has finished.
            public static let stillWritten = Kind(name: UploadFailure.Kind.stillWritten.rawValue)
            /// The file does not exist.
            public static let missing = Kind(name: UploadFailure.Kind.missing.rawValue)
            /// The key has an object with other content.
            public static let keyTaken = Kind(name: UploadFailure.Kind.keyTaken.rawValue)
            /// The gateway could not be reached during the time ``Options/retryFor``.
            public static let unreachable = Kind(name: UploadFailure.Kind.unreachable.rawValue)
            /// The application called ``FileUpload/cancel()``.
            public static let cancelled = Kind(name: "cancelled")
        }

        public let kind: Kind
        /// A sentence for the user.
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
                self.init(kind: Kind(name: error.kind.rawValue), message: error.cause)
            case let error as AgentHomeError:
                self.init(kind: error.kind == .busy ? .busy : Kind(name: "home"), message: error.description)
            default:
                self.init(kind: Kind(name: "other"), message: "\(error)")
            }
        }

        public var description: String { message }
    }
}
