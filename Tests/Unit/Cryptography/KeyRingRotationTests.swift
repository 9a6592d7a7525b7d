import Cryptography
import Testing

@Suite struct KeyRingRotationTests {
    private let plain = Array("a session".utf8)

    @Test func aNewRingSealsAndHasItsNextKeyReady() throws {
        #expect(try KeyRing.make().entries.map(\.state) == [.sealing, .opening])
    }

    @Test func rotatingMovesEachKeyOneStep() throws {
        let first = try KeyRing.make()
        let second = try first.rotated()
        let third = try second.rotated()
        #expect(second.entries.map(\.state) == [.retired, .sealing, .opening])
        #expect(third.entries.map(\.state) == [.retired, .retired, .sealing, .opening])
        #expect(Array(third.entries.map(\.id).prefix(3)) == second.entries.map(\.id))
        #expect(zip(first.keys, third.keys).allSatisfy { $0.secret == $1.secret })
        #expect(second.sealingKey.id == first.keys[1].id)
    }

    @Test func rotationDoesNotChangeTheOriginal() throws {
        let ring = try KeyRing.make()
        let entries = ring.entries
        _ = try ring.rotated()
        #expect(ring.entries == entries)
    }

    @Test func gatewaysOpenTokensAcrossRotations() throws {
        var gateways = [try KeyRing.make()]
        gateways.append(gateways[0])
        var tokens: [[UInt8]] = []
        func sealAndOpenEverywhere() throws {
            for gateway in gateways { tokens.append(try gateway.seal(plain, context: [])) }
            for gateway in gateways {
                for token in tokens { #expect(try gateway.open(token, context: []) == plain) }
            }
        }
        for rotation in 0..<6 {
            try sealAndOpenEverywhere()
            let next = try gateways[0].rotated()
            gateways[rotation % 2] = next
            try sealAndOpenEverywhere()
            gateways[1 - rotation % 2] = next
        }
        try sealAndOpenEverywhere()
        #expect(tokens.count == 26)
    }

    /// A gateway cannot open the tokens of a gateway that is two rotations ahead. Therefore all gateways must have a
    /// ring before any gateway gets the next one.
    @Test func staleGatewayNamesTheUnknownKey() throws {
        let old = try KeyRing.make()
        let new = try old.rotated().rotated()
        let token = try new.seal(plain, context: [])
        #expect(throws: TokenOpeningError.unknownKey(new.sealingKey.id)) { try old.open(token, context: []) }
    }

    @Test func missingOpeningKeyIsAdded() throws {
        let ring = try KeyRing(keys: [try KeyRing.make().sealingKey])
        let rotated = try ring.rotated()
        #expect(rotated.entries.map(\.state) == [.sealing, .opening])
        #expect(rotated.sealingKey.id == ring.sealingKey.id)
    }

    @Test func oldestOpeningKeyIsPromoted() throws {
        let ring = try KeyRing.make()
        let extra = KeyRing.Key(
            id: KeyRing.KeyID(value: ring.keys[1].id.value ^ 1), state: .opening, secret: Self.zeros)
        let rotated = try KeyRing(keys: ring.keys + [extra]).rotated()
        #expect(rotated.entries.map(\.state) == [.retired, .sealing, .opening, .opening])
    }

    @Test func newestSealingKeySeals() throws {
        let keys = (1...3).map { KeyRing.Key(id: KeyRing.KeyID(value: $0), state: .sealing, secret: Self.zeros) }
        #expect(try KeyRing(keys: keys).sealingKey.id == KeyRing.KeyID(value: 3))
    }

    @Test func fullRingIsNotRotated() throws {
        var ring = try KeyRing.make()
        while ring.keys.count < KeyRing.keysMax { ring = try ring.rotated() }
        #expect(try KeyRing(text: ring.text).entries == ring.entries)
        #expect(throws: KeyRingError.tooManyKeys(keysMax: KeyRing.keysMax)) { try ring.rotated() }
    }

    private static let zeros = [UInt8](repeating: 0, count: 32)
}
