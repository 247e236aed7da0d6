mod calls;
mod tables;
