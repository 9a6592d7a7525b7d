import Cryptography
import GatewayKit
import TransferCommon
import TransferCore
import WireProtocol

extension FuzzTarget {
    /// Opening session tokens. The first byte of the input selects what the rest is: a sealed token, changes to a real
    /// token, or a plain text to seal.
    package static let token = FuzzTarget(name: "token", inputBytesMax: 4_200) { input in
        var input = FuzzInput(input)
        switch input.byte() & 3 {
        case 0: try expectUnopened(Array(input.rest))
        case 1: try expectUnopened(changed(try TokenSite.shared.token(), by: &input))
        case 2: try expectOpensOnlyWhole(&input)
        default: try expectOneForm(Array(input.rest))
        }
    } seeds: { vectors in
        let sealed = vectors.token["sealed"].flatMap { bytesOfHexadecimal($0) } ?? []
        let plain = vectors.token["plainText"].flatMap { bytesOfHexadecimal($0) } ?? []
        return [
            "sealed": [0] + sealed, "sealed-short": [0] + sealed.prefix(33), "changed": [1, 0, 40, 1],
            "cut": [1, 0xFF, 0, 9], "resealed": [2, 0, 9, 1] + plain, "plain": [3] + plain,
            "plain-cut": [3] + plain.dropLast(), "plain-empty": [3, 1],
        ]
    }
}

private struct TokenSite {
    /// Made once, because it does not depend on the input.
    static let shared = TokenSite()

    static let context = Array("sluice session token".utf8)
    let ring: KeyRing?
    let cryptography: SiteCryptography?

    init() {
        let key = KeyRing.Key(
            id: KeyRing.KeyID(value: 0x0102_0304), state: .sealing, secret: (0..<32).map { UInt8($0) })
        do {
            let ring = try KeyRing(keys: [key])
            (self.ring, cryptography) = (ring, try SiteCryptography(keys: ring))
        } catch {
            (ring, cryptography) = (nil, nil)
        }
    }

    func seal(_ plain: [UInt8]) throws -> [UInt8] {
        guard let ring else { throw FuzzFinding("no key ring") }
        return try ring.seal(plain, context: Self.context, nonce: [UInt8](repeating: 7, count: 12))
    }

    func token() throws -> [UInt8] {
        let token = SessionToken(
            device: "camera-7", session: SessionID(high: 1, low: 2),
            terms: SessionTerms(
                key: "site/a", size: 10, partBytes: 5, modification: ModificationTime(seconds: 3, nanoseconds: 4),
                condition: .any),
            issuedMilliseconds: 5, upload: "upload")
        return try seal(token.encoded ?? [])
    }

    func open(_ sealed: [UInt8]) throws -> TokenOpening {
        guard let cryptography else { throw FuzzFinding("no key ring") }
        return cryptography.open(token: sealed)
    }
}

/// The golden token in Protocol/vectors/token.txt is sealed with the key in use. No other input may open.
private func expectUnopened(_ sealed: [UInt8]) throws {
    guard case .opened(let plain) = try TokenSite.shared.open(sealed) else { return }
    // Seal the plain text again with the nonce of the token. If the bytes are equal, the token is the real one;
    // otherwise it is forged.
    guard let ring = TokenSite.shared.ring else { return }
    let again = try ring.seal(plain, context: TokenSite.context, nonce: Array(sealed[5..<17]))
    try expect(again == sealed, "a forged token was opened")
    try expect(SessionToken(encoded: plain) != nil, "a token was opened that no key sealed")
}

/// Each change replaces a byte, or cuts the token if its place is 0xFF00 or more.
private func changed(_ token: [UInt8], by input: inout FuzzInput) -> [UInt8] {
    var changed = token
    repeat {
        let place = Int(input.integer(bytes: 2))
        let value = input.byte()
        if place >= 0xFF00 {
            changed = Array(changed.prefix(Int(value)))
        } else if !changed.isEmpty {
            changed[place % changed.count] ^= value
        }
    } while !input.isAtEnd
    return changed
}

private func expectOpensOnlyWhole(_ input: inout FuzzInput) throws {
    let (place, value) = (Int(input.integer(bytes: 2)), input.byte())
    let plain = Array(input.rest)
    var sealed = try TokenSite.shared.seal(plain)
    try expect(try TokenSite.shared.open(sealed) == .opened(plain), "a token does not open")
    guard value != 0 else { return }
    sealed[place % sealed.count] ^= value
    if case .opened = try TokenSite.shared.open(sealed) { throw FuzzFinding("a changed token was opened") }
}

private func expectOneForm(_ plain: [UInt8]) throws(FuzzFinding) {
    guard let token = SessionToken(encoded: plain), let again = token.encoded else { return }
    // Format 1 is read but not written any more.
    if plain.first == 1 {
        try expect(SessionToken(encoded: again) == token, "a token of format 1 changes when it is written again")
    } else {
        try expect(again == plain, "two forms of one token")
    }
    try expect(token.terms.partBytes > 0, "a part size of 0")
}
