//! What the builders of finders share.

/// Methods that set a field of `self` and return it.
macro_rules! setters {
    ($($(#[$doc:meta])* fn $setter:ident($field:ident: $type:ty);)*) => {
        $(
            $(#[$doc])*
            #[must_use]
            pub fn $setter(mut self, $field: $type) -> Self {
                self.$field = $field;
                self
            }
        )*
    };
}
pub(super) use setters;
