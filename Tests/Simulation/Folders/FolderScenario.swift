package import FolderCore
import SeededRandom
import TransferCommon

/// What a seed decides before a run begins.
package struct FolderScenario: Sendable {
    package let seed: UInt64
    package var canary: FolderCanary?
    package var rules: FolderRules
    package var kind: FileSystemKind
    package var grantsLeases: Bool
    package var granularity: UInt64
    package var keepsVersions: Bool
    /// Programs and faults act until then, in seconds.
    package var busySeconds: UInt64
    package var changeCount: Int
    package var hasForeignWriters: Bool
    package var hasStoreSwaps: Bool
    package var hasClockJumps: Bool
    package var hasFullDisks: Bool
    /// The chance, in a thousand, that the agent is killed before or after an action.
    package var killsPerThousand: UInt64
    package var hasPowerCuts: Bool
    /// The chance, in a thousand, that a program changes a file just while the agent removes it.
    package var meddlesPerThousand: UInt64
    /// The chance, in a hundred, that a notification is lost.
    package var lossPerCent: UInt64
    package var hasNetworkTrouble: Bool

    /// Draws a scenario.
    package static func drawn(seed: UInt64, canary: FolderCanary? = nil) -> FolderScenario {
        var dice = SeededGenerator(seed: seed &* 0x9E37_79B9 &+ 17)
        func chance(_ perCent: UInt64) -> Bool { dice.next() % 100 < perCent }
        func one<Value>(of values: [Value]) -> Value { values[Int(dice.next() % UInt64(values.count))] }
        var rules = FolderRules()
        rules.ready = one(of: [.idle, .idle, .rename, .closeWrite, .marker])
        rules.settle = .seconds(Int64(one(of: [2, 5, 10])))
        rules.order = one(of: [.oldest, .newest, .smallest, .name])
        rules.after = one(of: [
            .keep, .delete(grace: .zero), .delete(grace: .zero), .delete(grace: .seconds(40)),
            .move(grace: .seconds(5)),
        ])
        rules.onChange = one(of: [.keep, .replace, .replace, .newKey])
        rules.whenFull = one(of: [.hold, .hold, .deleteProvenEarly, .shed])
        rules.freeBytesMin = 1_000
        rules.quarantineAfter = 3
        // The pattern is valid.
        if chance(30), let template = try? KeyTemplate("{device}/{name}") { rules.keys = template }
        rules.priorities = [.init(NamePattern("b*"), priority: 9)]
        let keepsVersions = chance(40)
        rules.confirmsBeforeRemoval = chance(60)
        rules.rechecksContent = chance(80)
        let kind: FileSystemKind = one(of: [.stamping, .stamping, .stamping, .local, .shared])
        return FolderScenario(
            seed: seed, canary: canary, rules: rules, kind: kind,
            grantsLeases: kind != .shared && chance(60),
            granularity: kind == .stamping ? one(of: [1, 10_000_000, 1_000_000_000]) : 2_000_000_000,
            keepsVersions: keepsVersions, busySeconds: 100 + dice.next() % 900, changeCount: 5 + Int(dice.next() % 60),
            hasForeignWriters: (rules.confirmsBeforeRemoval || keepsVersions) && chance(40), hasStoreSwaps: chance(15),
            hasClockJumps: chance(25), hasFullDisks: chance(30), killsPerThousand: one(of: [0, 3, 20]),
            hasPowerCuts: chance(50), meddlesPerThousand: one(of: [0, 50, 300]), lossPerCent: one(of: [0, 30, 100]),
            hasNetworkTrouble: chance(60))
    }
}

/// A defect that the simulator installs on purpose. Its checks must find it.
package enum FolderCanary: String, CaseIterable, Sendable {
    /// The shell says that a transaction is durable before it is.
    case deletesWithoutDurableProof
    /// The shell finds every file that is aside as it was proven, without looking.
    case deletesWithoutLookingAgain
    /// The journal keeps a proof that was withdrawn.
    case keepsProofOfReplacedObject
    /// Scans find nothing, so the agent learns of files only by notifications.
    case trustsNotifications
}
