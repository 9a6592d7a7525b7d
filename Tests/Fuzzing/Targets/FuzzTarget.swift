/// One entry point for untrusted bytes. A target runs the shipped code with any bytes and checks invariants.
package struct FuzzTarget: Sendable {
    /// The name of the target, which is also the name of its folders of inputs.
    package let name: String
    /// The maximum length of an input. Longer inputs take more time and find nothing that shorter ones do not find.
    package let inputBytesMax: Int
    /// Throws a `FuzzFinding` if an invariant fails. If the tested code traps, the process ends, which is a finding
    /// too.
    package let check: @Sendable (_ input: [UInt8]) throws -> Void
    /// The inputs with which the search begins, by file name: golden vectors and hand-made sequences in the target's
    /// format.
    package let seeds: @Sendable (Vectors) throws -> [String: [UInt8]]
}

extension FuzzTarget {
    /// All targets, in the order in which they run.
    package static let all: [FuzzTarget] = [
        .decoder, .gateway, .token, .keys, .xml, .devices, .receipt, .journal, .proxy, .settings,
    ]

    /// Finds the target with this name.
    package static func named(_ name: String) -> FuzzTarget? {
        all.first { $0.name == name }
    }
}

/// An invariant that failed for one input.
package struct FuzzFinding: Error, Equatable, CustomStringConvertible {
    package let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Throws a finding with this description if the condition is false.
func expect(_ condition: Bool, _ description: @autoclosure () -> String) throws(FuzzFinding) {
    guard condition else { throw FuzzFinding(description()) }
}
