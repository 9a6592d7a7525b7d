import Cryptography
import Testing

@Suite struct KeyRingSealingTests {
    private let ring: KeyRing
    private let plain = Array("a session".utf8)
    private let context = Array("device".utf8)

    init() throws {
        ring = try KeyRing.make()
    }

    @Test(arguments: [0, 1, 15, 16, 17, 1000])
    func sealedTokenOpens(byteCount: Int) throws {
        let plain = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0) }
        let sealed = try ring.seal(plain, context: context)
        #expect(sealed.count == plain.count + KeyRing.sealingBytes)
        #expect(try ring.open(sealed, context: context) == plain)
    }

    @Test func emptyContextIsBound() throws {
        let sealed = try ring.seal(plain, context: [])
        #expect(try ring.open(sealed, context: []) == plain)
        #expect(throws: TokenOpeningError.forged) { try ring.open(sealed, context: context) }
    }

    @Test func layoutIsVersionKeyNonceTextAndTag() throws {
        let nonce = (1...12).map { UInt8($0) }
        let sealed = try ring.seal(plain, context: context, nonce: nonce)
        #expect(sealed[0] == 1)
        #expect(Array(sealed[1..<5]) == ring.sealingKey.id.bytes)
        #expect(Array(sealed[5..<17]) == nonce)
        #expect(sealed.count == 17 + plain.count + 16)
    }

    @Test func equalTextsSealDifferently() throws {
        #expect(try ring.seal(plain, context: context) != ring.seal(plain, context: context))
    }

    @Test func alteredByteIsRefused() throws {
        let sealed = try ring.seal(plain, context: context)
        for index in sealed.indices {
            for change in UInt8(1)...255 {
                var altered = sealed
                altered[index] ^= change
                let error = #expect(throws: TokenOpeningError.self) { try ring.open(altered, context: context) }
                switch (index, error) {
                case (0, .malformed), (0, .laterVersion), (1..<5, .unknownKey), (5..., .forged): break
                default: Issue.record("byte \(index) changed by \(change): \(String(describing: error))")
                }
            }
        }
        #expect(OpenSSLErrorQueue.isEmpty)
    }

    @Test func anExchangedKeyIDIsForged() throws {
        let other = try #require(ring.keys.first { $0.id != ring.sealingKey.id })
        var sealed = try ring.seal(plain, context: context)
        sealed.replaceSubrange(1..<5, with: other.id.bytes)
        #expect(throws: TokenOpeningError.forged) { try ring.open(sealed, context: context) }
    }

    /// Two key ids have the same secret, so decryption itself succeeds with either. Only the associated data shows that
    /// the ids were exchanged.
    @Test func theKeyIDIsAuthenticated() throws {
        let first = ring.sealingKey
        let twin = KeyRing.Key(id: KeyRing.KeyID(value: first.id.value ^ 1), state: .retired, secret: first.secret)
        let twins = try KeyRing(keys: [first, twin])
        var sealed = try twins.seal(plain, context: context)
        #expect(try twins.open(sealed, context: context) == plain)
        sealed.replaceSubrange(1..<5, with: twin.id.bytes)
        #expect(throws: TokenOpeningError.forged) { try twins.open(sealed, context: context) }
    }

    @Test func truncatedTokenIsRefused() throws {
        let sealed = try ring.seal(plain, context: context)
        for byteCount in sealed.indices {
            let expected: TokenOpeningError = byteCount < KeyRing.sealingBytes ? .malformed : .forged
            #expect(throws: expected) { try ring.open(Array(sealed[..<byteCount]), context: context) }
        }
    }

    @Test func tokenWithTrailingBytesIsRefused() throws {
        let sealed = try ring.seal(plain, context: context)
        #expect(throws: TokenOpeningError.forged) { try ring.open(sealed + [0], context: context) }
    }

    @Test(arguments: ["", "devic", "devices", "Device", "other"])
    func aTokenForAnotherContextIsRefused(other: String) throws {
        let sealed = try ring.seal(plain, context: context)
        #expect(throws: TokenOpeningError.forged) { try ring.open(sealed, context: Array(other.utf8)) }
    }

    @Test func aTokenOfAnotherSiteNamesAnUnknownKey() throws {
        let other = try KeyRing.make()
        let sealed = try other.seal(plain, context: context)
        #expect(throws: TokenOpeningError.unknownKey(other.sealingKey.id)) { try ring.open(sealed, context: context) }
    }
}
