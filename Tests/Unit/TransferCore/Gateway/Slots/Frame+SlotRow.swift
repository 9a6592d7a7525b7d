import TransferCore
import WireProtocol

extension Frame {
    /// The row of the slot table (`SlotState.Frame`) for a frame of this type; `nil` for a frame that no agent sends in
    /// a slot.
    var slotFrame: SlotState.Frame? {
        SlotState.Frame.allCases.first { $0.rawValue == type.description }
    }
}
