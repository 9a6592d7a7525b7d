import TransferCommon

extension PartTransfer {
    /// Makes room for one part of another upload, while this upload keeps all its parts: one of them no longer counts
    /// against the concurrency.
    mutating func lendRoom(_ context: inout AgentContext) {
        guard let number = parts.numbers.first(where: { parts[$0]?.isCounted == true }) else { return }
        parts[number]?.isCounted = false
        context.partsUnderWay -= 1
    }
}
