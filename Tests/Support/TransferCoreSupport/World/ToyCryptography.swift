package import TransferCommon
package import TransferCore

/// Computes real digests, for simulations whose frames must contain them.
package protocol ContentDigesting: Sendable {
    func sha256(_ bytes: [UInt8]) -> SHA256Digest?
    func md5(_ bytes: [UInt8]) -> MD5Digest?
}

/// Digests for simulations: they distinguish contents as reliably as SHA-256, but do not resist attacks.
package enum ToyDigest {
    /// Digests that replace the toy digests in the current task, for comparison with golden vectors.
    @TaskLocal package static var replacement: (any ContentDigesting)?

    package static func sha256(_ bytes: some Sequence<UInt8>) -> SHA256Digest {
        if let digest = replacement?.sha256(Array(bytes)) { return digest }
        let words = mix(bytes, seeds: 0..<4)
        guard let digest = SHA256Digest(bytes: words.flatMap(bigEndian)) else { return sha256(CollectionOfOne(0)) }
        return digest
    }

    package static func md5(_ bytes: some Sequence<UInt8>) -> MD5Digest {
        if let digest = replacement?.md5(Array(bytes)) { return digest }
        let words = mix(bytes, seeds: 4..<6)
        guard let digest = MD5Digest(bytes: words.flatMap(bigEndian)) else { return md5(CollectionOfOne(0)) }
        return digest
    }

    package static func root(_ digests: [SHA256Digest]) -> SHA256Digest {
        sha256(digests.flatMap(\.bytes))
    }

    private static func mix(_ bytes: some Sequence<UInt8>, seeds: Range<UInt64>) -> [UInt64] {
        var hashes = seeds.map { 0xCBF2_9CE4_8422_2325 &+ $0 &* 0x9E37_79B9_7F4A_7C15 }
        // Iterates over contiguous memory if possible, because simulations spend most of their time here.
        let isMixed: Void? = bytes.withContiguousStorageIfAvailable { bytes in
            for index in hashes.indices { hashes[index] = mix(bytes, hashes[index]) }
        }
        if isMixed == nil { return mix(Array(bytes), seeds: seeds) }
        return hashes
    }

    private static func mix(_ bytes: UnsafeBufferPointer<UInt8>, _ start: UInt64) -> UInt64 {
        var hash = start
        for byte in bytes {
            hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3
            hash ^= hash >> 29
        }
        return hash
    }

    private static func bigEndian(_ word: UInt64) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: word >> (56 - 8 * UInt64($0))) }
    }
}

/// Sealing for simulations: writes a key id and a check value before the plain text, and encrypts nothing.
package struct ToyCryptography: TransferCryptography {
    /// The sealing key; `nil` if the ring has none.
    package var sealingKey: UInt8?
    package var openingKeys: Set<UInt8>

    /// The key that signs receipts; `nil` if the gateway signs none.
    package var receiptKey: ReceiptKey?
    /// Whether signing succeeds.
    package var signs = true

    package init(sealingKey: UInt8? = 1, openingKeys: Set<UInt8> = [1], receiptKey: ReceiptKey? = Self.usualReceiptKey)
    {
        self.sealingKey = sealingKey
        self.openingKeys = openingKeys
        self.receiptKey = receiptKey
    }

    /// This value is computed at each use. If it were stored, it would keep the kind of digest of the task that used it
    /// first. If that task works with real digests (`ToyDigest.replacement`), all other simulations in this process
    /// would then run differently from what their seeds determine.
    package static var usualReceiptKey: ReceiptKey {
        let publicKey = Array("a toy key".utf8)
        return ReceiptKey(publicKey: publicKey, fingerprint: ToyDigest.sha256(publicKey))
    }

    package func signature(of statement: [UInt8]) -> [UInt8]? {
        signs ? receiptKey.map { Self.signature(of: statement, by: $0.publicKey) } : nil
    }

    /// The toy signature; any party can compute it.
    package static func signature(of statement: [UInt8], by publicKey: [UInt8]) -> [UInt8] {
        ToyDigest.sha256(publicKey + statement).bytes
    }

    package func rootDigest(of partDigests: [SHA256Digest]) -> SHA256Digest? { ToyDigest.root(partDigests) }

    package func seal(token plain: [UInt8]) -> [UInt8]? {
        guard let sealingKey else { return nil }
        return [sealingKey] + ToyDigest.md5(plain).bytes + plain
    }

    package func open(token sealed: [UInt8]) -> TokenOpening {
        guard sealed.count > 17, let key = sealed.first else { return .invalid }
        guard openingKeys.contains(key) else { return .keyUnknown }
        let plain = Array(sealed.dropFirst(17))
        return ToyDigest.md5(plain).bytes == Array(sealed[1..<17]) ? .opened(plain) : .invalid
    }
}
