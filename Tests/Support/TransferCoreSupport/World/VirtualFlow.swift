/// The bytes of one part between a gateway's connection and its store request.
final class VirtualFlow {
    let size: UInt64
    private var pieces: [[UInt8]] = []
    private(set) var bytesGiven: UInt64 = 0
    private(set) var bytesAppended: UInt64 = 0
    private var isReleased: Bool
    private(set) var isDropped = false
    /// Called when bytes may have become available.
    var onChange: (() -> Void)?

    init(size: UInt64, holdsLast: Bool) {
        self.size = size
        self.isReleased = !holdsLast
    }

    var isWhole: Bool { bytesGiven == size && isReleased }

    func append(_ bytes: [UInt8]) {
        pieces.append(bytes)
        bytesAppended += UInt64(bytes.count)
        onChange?()
    }

    func release() {
        isReleased = true
        onChange?()
    }

    func drop() {
        isDropped = true
        pieces = []
        onChange?()
    }

    /// The next piece of the part. `nil` if no piece has arrived, or if the next piece holds the part's last bytes and
    /// the gateway has not released them yet.
    func take() -> [UInt8]? {
        guard let piece = pieces.first else { return nil }
        guard isReleased || bytesGiven + UInt64(piece.count) < size else { return nil }
        pieces.removeFirst()
        bytesGiven += UInt64(piece.count)
        return piece
    }
}
